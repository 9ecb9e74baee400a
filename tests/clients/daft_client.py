"""Run by `test_engines.py` with the Python of `.venv/clients`: what Daft does with a catalog, told as JSON."""

from __future__ import annotations

import json
import sys

import daft
from daft.catalog import Catalog
from pyiceberg.catalog import load_catalog
from pyiceberg.types import StringType


def main(uri: str, properties: dict[str, str]) -> dict[str, object]:
    iceberg = load_catalog("lakehouse", type="rest", uri=uri, warehouse="main", **properties)
    catalog = Catalog.from_iceberg(iceberg)
    catalog.create_namespace("daft")
    frame = daft.from_pydict({"id": [1, 2, 3], "name": ["a", "b", None], "score": [0.5, 1.5, 2.5]})
    catalog.create_table("daft.runs", frame.schema())
    table = iceberg.load_table("daft.runs")
    frame.write_iceberg(table)
    table.refresh()
    first = table.current_snapshot()
    with table.update_schema() as update:
        update.add_column("tag", StringType())
    frame.with_column("tag", daft.lit("new")).write_iceberg(table)
    table.refresh()
    after = daft.read_iceberg(table)
    before = daft.read_iceberg(table, snapshot_id=first.snapshot_id) if first else after
    iceberg.rename_table("daft.runs", "daft.kept")
    renamed = daft.read_iceberg(iceberg.load_table("daft.kept")).count_rows()
    catalog.create_table("daft.gone", frame.schema())
    catalog.drop_table("daft.gone")
    found = after.where(daft.col("id") > 1).select("id").to_pydict()["id"]
    return {
        "rows": after.count_rows(),
        "filtered": sorted(found),
        "tags": [tag for tag in after.select("tag").to_pydict()["tag"] if tag is not None],
        "rows_before": before.count_rows(),
        "renamed": renamed,
        "tables": [str(name) for name in catalog.list_tables("daft")],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]))))
