"""What our own tables are made of: columns, the rows of a write, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa  # a tenth of a second, and most processes that know these types write no table

NAMESPACE: Final = ("lakehouse",)
MARK: Final = "lakehouse."
"""What the names of marks begin with, in the summaries of snapshots and the properties of tables."""
UPTO: Final = MARK + "upto"
STATE: Final = MARK + "state"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that may be null; `type` is spelled as in Iceberg's JSON."""

    name: str
    type: str | Mapping[str, Any]
    doc: str


@dataclass(frozen=True, slots=True)
class OwnTable:
    """A table in the namespace `lakehouse`.

    Attributes
    ----------
    columns
        Those a table that stands does not have are added to it; none is ever taken away.
    partition_by
        A column of strings. Each batch of rows then has one value of it.
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    partition_by: str | None = None

    def __str__(self) -> str:
        return ".".join((*NAMESPACE, self.name))

    def schema(self) -> dict[str, Any]:
        """Return the schema as Iceberg's JSON, with ids of its own."""
        fields = []
        for number, column in enumerate(self.columns, start=1):
            kind = column.type
            if not isinstance(kind, str):
                kind = {**kind, "element-id": len(self.columns) + number}
            fields.append({"id": number, "name": column.name, "required": False, "type": kind, "doc": column.doc})
        return {"type": "struct", "fields": fields}

    def partition_spec(self) -> dict[str, Any]:
        """Return the partition spec as Iceberg's JSON, for `schema`."""
        names = [column.name for column in self.columns]
        parts = [
            {"source-id": names.index(name) + 1, "field-id": 1000, "name": name, "transform": "identity"}
            for name in ([self.partition_by] if self.partition_by else [])
        ]
        return {"spec-id": 0, "fields": parts}


@dataclass(frozen=True, slots=True)
class Held:
    """What a table holds when a write begins; nothing, if it is not there.

    Attributes
    ----------
    marks
        Those of the last of our writes that its current snapshot is built on.
    partitions
        Reads the values of the partition column from the manifests.
    """

    marks: Mapping[str, str]
    partitions: Callable[[], set[str]]


@dataclass(frozen=True, slots=True)
class Rows:
    """What a write adds.

    Attributes
    ----------
    marks
        What holds once the rows are in the table. Looked at when the batches have come to their end: it may be filled
        while they are read.
    """

    batches: Iterable[pa.RecordBatch]
    marks: Mapping[str, str]


# Called again after somebody else was faster. None: the table holds everything.
Source = Callable[[Held], Rows | None]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a write.

    Attributes
    ----------
    rows
        Written now, or, of a dry run, that would be.
    total_rows
        The table has now.
    is_changed
        Whether there was anything to do.
    """

    table: str
    rows: int
    total_rows: int | None
    snapshot_id: int | None
    is_changed: bool
    is_dry_run: bool

    def __str__(self) -> str:
        if not self.is_changed:
            return f"{self.table}: up to date, {self.total_rows} rows."
        if self.is_dry_run:
            return f"{self.table}: {self.rows} rows would be written. Nothing was changed."
        return f"{self.table}: {self.rows} rows written, {self.total_rows} in all, in snapshot {self.snapshot_id}."
