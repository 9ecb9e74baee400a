"""Run by `test_engines.py` with the Python of `.venv/clients`: what Polars does with a catalog, told as JSON."""

from __future__ import annotations

import json
import sys

import polars as pl
from pyiceberg.catalog import load_catalog
from pyiceberg.types import StringType

STORAGE_OPTIONS = {
    "aws_endpoint_url": "s3.endpoint",
    "aws_access_key_id": "s3.access-key-id",
    "aws_secret_access_key": "s3.secret-access-key",
    "aws_region": "s3.region",
}


def main(uri: str, properties: dict[str, str]) -> dict[str, object]:
    catalog = load_catalog("lakehouse", type="rest", uri=uri, warehouse="main", **properties)
    # Its own reader of objects has names of its own for what pyiceberg was told.
    storage = {name: properties[ours] for name, ours in STORAGE_OPTIONS.items() if ours in properties}
    catalog.create_namespace("polars")
    frame = pl.DataFrame({"id": [1, 2, 3], "name": ["a", "b", None], "score": [0.5, 1.5, 2.5]})
    table = catalog.create_table("polars.runs", schema=frame.to_arrow().schema)
    frame.write_iceberg(table, mode="append")
    first = table.current_snapshot()
    with table.update_schema() as update:
        update.add_column("tag", StringType())
    frame.with_columns(pl.lit("new").alias("tag")).write_iceberg(table, mode="append")
    after = pl.scan_iceberg(table, storage_options=storage)
    before = pl.scan_iceberg(table, snapshot_id=first.snapshot_id, storage_options=storage) if first else after
    catalog.rename_table("polars.runs", "polars.kept")
    kept = pl.scan_iceberg(catalog.load_table("polars.kept"), storage_options=storage)
    renamed = kept.select(pl.len()).collect().item()
    catalog.create_table("polars.gone", schema=frame.to_arrow().schema)
    catalog.drop_table("polars.gone")
    return {
        "rows": after.select(pl.len()).collect().item(),
        "filtered": after.filter(pl.col("id") > 1).select("id").collect()["id"].sort().to_list(),
        "tags": after.select("tag").collect()["tag"].drop_nulls().to_list(),
        "rows_before": before.select(pl.len()).collect().item(),
        "renamed": renamed,
        "tables": [".".join(name) for name in catalog.list_tables("polars")],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]))))
