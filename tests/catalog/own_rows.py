"""Tables of our own as another program reads them, and what there is of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.table import StaticTable

from catalog.models import Relation
from catalog.own_table_types import NAMESPACE

# Its files go through pyarrow; fsspec would be looked for first.
_IO = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}


def the_table(name: str) -> Relation:
    """Return a living table of the namespace."""
    return Relation.objects.select_related("namespace").get(
        name=name, namespace__path=NAMESPACE[0], deleted_at=None, namespace__deleted_at=None
    )


def opened(name: str) -> Any:
    """Return a table as pyiceberg knows it from its metadata file alone."""
    return StaticTable.from_metadata(the_table(name).metadata_location, _IO)


def rows_of(name: str) -> pa.Table:
    return opened(name).scan().to_arrow()


def column_of(name: str, column: str) -> list[Any]:
    """Return the values of a column, sorted."""
    return sorted(rows_of(name).column(column).to_pylist())


def data_files_on_disk(name: str) -> list[Path]:
    folder = Path(the_table(name).location.removeprefix("file://")) / "data"
    return sorted(folder.glob("*.parquet"))


def data_files_of(name: str) -> list[Path]:
    """Return the data files of the current snapshot."""
    paths = opened(name).inspect.files().column("file_path").to_pylist()
    return sorted(Path(path.removeprefix("file://")) for path in paths)


def summaries_of(name: str) -> list[dict[str, str]]:
    """Return what the snapshots say of themselves, the oldest first."""
    return [dict(snapshot.summary.additional_properties) for snapshot in opened(name).snapshots()]
