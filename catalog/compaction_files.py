"""The rows of small files written into larger ones, batch by batch: what is held in memory does not grow with them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.typedef import Record

from catalog.appends import data_file
from catalog.errors import BadCatalogRequest
from catalog.models import Warehouse
from catalog.scratch import scratch_folder
from catalog.warehouse_files import delete_file, save_file
from lakehouse_site.errors import LakehouseError

ROW_GROUP_BYTES: Final = 16 * 1024 * 1024
"""Of Arrow memory: so much is held before it is written."""


@dataclass(slots=True)
class NewFiles:
    """Data files that were written, and where."""

    files: list[DataFile] = field(default_factory=list)
    locations: list[str] = field(default_factory=list)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Let what goes wrong while pyiceberg reads, of which there are many kinds, say which table it was."""
    try:
        yield
    except LakehouseError:
        raise
    except Exception as error:
        detail = f"A file of {name} cannot be read: {type(error).__name__}: {error}"
        raise BadCatalogRequest(f"{detail}. Look at the table with lake_fsck.") from error


def rewrite(
    *, table: Table, warehouse: Warehouse, groups: Sequence[Sequence[FileScanTask]], target_bytes: int
) -> NewFiles:
    """Write the rows of each group, which is of one partition, into new files of about `target_bytes`.

    Raises
    ------
    BadCatalogRequest, StorageFailed
        A file cannot be read, or has other rows than its manifest says. The new files are removed.
    """
    new = NewFiles()
    name = ".".join(table.name())
    try:
        with scratch_folder() as folder, reading(name):
            for group in groups:
                with _Writer(table, warehouse, group[0].file.partition, folder, target_bytes, new) as writer:
                    for batch in _rows(table, group):
                        writer.write(batch)
                expected = sum(task.file.record_count for task in group)
                if writer.rows != expected:
                    raise BadCatalogRequest(
                        f"{name} has files with {writer.rows} rows where its manifests say {expected}: "
                        "nothing was replaced. Look at it with lake_fsck."
                    )
    except Exception:
        for location in new.locations:
            delete_file(warehouse, location)
        raise
    return new


def _rows(table: Table, tasks: Sequence[FileScanTask]) -> Iterator[pa.RecordBatch]:
    """Yield the rows in the table's current schema, whatever the schema was when they were written."""
    schema = table.schema()
    wanted = schema_to_pyarrow(schema, include_field_ids=True)
    scan = ArrowScan(table.metadata, table.io, schema, AlwaysTrue())
    # The public method holds all batches of a file at once.
    for batch in scan._record_batches_from_scan_tasks_and_deletes(tasks, {}):
        columns = [column.cast(one.type) for column, one in zip(batch.columns, wanted, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=wanted)


class _Writer:
    """Writes Parquet files one after the other, and puts each into the warehouse when it is large enough."""

    def __init__(
        self, table: Table, warehouse: Warehouse, partition: Record, folder: Path, target_bytes: int, new: NewFiles
    ) -> None:
        self.rows = 0
        self._table = table
        self._warehouse = warehouse
        self._partition = partition
        self._folder = folder
        self._target_bytes = target_bytes
        self._new = new
        self._held: list[pa.RecordBatch] = []
        self._path: Path | None = None
        self._parquet: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self._flush()
            self._finish()
        elif self._parquet is not None:
            self._parquet.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Take rows; they are written when there are enough of them."""
        self.rows += batch.num_rows
        self._held.append(batch)
        if sum(one.nbytes for one in self._held) >= ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._held:
            return
        rows = pa.Table.from_batches(self._held)
        self._held = []
        if self._parquet is None:
            self._path = self._folder / f"{uuid.uuid4()}.parquet"
            self._parquet = pq.ParquetWriter(self._path, rows.schema, compression="zstd")
        self._parquet.write_table(rows)
        if self._path is not None and self._path.stat().st_size >= self._target_bytes:
            self._finish()

    def _finish(self) -> None:
        if self._parquet is None or self._path is None:
            return
        self._parquet.close()
        location = f"{self._table.location()}/data/{self._path.name}"
        self._new.locations.append(location)
        save_file(self._warehouse, location, self._path)
        found = data_file(self._path, location=location, metadata=self._table.metadata, partition=self._partition)
        self._new.files.append(found)
        self._path.unlink()
        self._parquet = self._path = None
