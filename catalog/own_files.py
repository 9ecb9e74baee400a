"""Data files of our own tables: batches of rows as Parquet, in the warehouse, described for a manifest."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.manifest import DataFile
from pyiceberg.table.metadata import TableMetadata

from catalog.appends import WRITABLE_VERSIONS, data_file
from catalog.errors import BadCatalogRequest
from catalog.models import Relation
from catalog.own_table_types import OwnTable
from catalog.scratch import scratch_folder
from catalog.warehouse_files import delete_file, save_file
from lakehouse_site.errors import LakehouseError

logger = logging.getLogger(__name__)

FILE_BYTES: Final = 128 * 1024 * 1024
"""A file that has grown to this is closed, and another one begun."""


def check_writable_by_us(relation: Relation, table: OwnTable) -> None:
    """Raise BadCatalogRequest for a table that somebody has changed into what is not written here."""
    metadata = orjson.loads(relation.metadata_text)
    remedy = "Rename or drop it; the next run makes it anew."
    if metadata["format-version"] not in WRITABLE_VERSIONS:
        raise BadCatalogRequest(f"{relation} has format version {metadata['format-version']}. {remedy}")
    specs = {spec["spec-id"]: spec["fields"] for spec in metadata.get("partition-specs", ())}
    schemas = {schema["schema-id"]: schema["fields"] for schema in metadata["schemas"]}
    names = {field["id"]: field["name"] for field in schemas[metadata["current-schema-id"]]}
    found = [(names.get(part["source-id"]), part["transform"]) for part in specs.get(metadata["default-spec-id"], ())]
    if found != ([(table.partition_by, "identity")] if table.partition_by else []):
        raise BadCatalogRequest(f"{relation} is partitioned in another way than it was made. {remedy}")


class NewFiles:
    """The data files of one write, not yet in a snapshot.

    Attributes
    ----------
    files, rows
        What has been written.
    """

    def __init__(self, relation: Relation, table: OwnTable, metadata: TableMetadata) -> None:
        self.files: list[DataFile] = []
        self.rows = 0
        self._relation = relation
        self._warehouse = relation.namespace.warehouse
        self._table = table
        self._metadata = metadata
        names = {column.name for column in table.columns}
        ours = [field.name for field in metadata.schema().fields if field.name in names]
        self._schema = schema_to_pyarrow(metadata.schema().select(*ours))

    def write(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Write batches, one at a time in memory; after an error nothing of them is left.

        Raises
        ------
        BadCatalogRequest
            A column of the table is of another type than its rows.
        """
        try:
            with scratch_folder() as folder:
                self._write(batches, folder / "rows.parquet")
        except BaseException:
            self.remove()
            raise

    def _write(self, batches: Iterable[pa.RecordBatch], path: Path) -> None:
        writer: pq.ParquetWriter | None = None
        value: Any = None
        try:
            for batch in batches:
                its = batch.column(self._table.partition_by)[0] if self._table.partition_by else None
                if writer is not None and (its != value or path.stat().st_size >= FILE_BYTES):
                    writer.close()
                    self._save(path)
                    writer = None
                value = its
                if writer is None:
                    writer = pq.ParquetWriter(path, self._schema, compression="zstd")
                writer.write_table(self._cast(batch))
                self.rows += batch.num_rows
        finally:
            if writer is not None:
                writer.close()
        if writer is not None:
            self._save(path)

    def _cast(self, batch: pa.RecordBatch) -> pa.Table:
        try:
            return pa.Table.from_batches([batch]).select(self._schema.names).cast(self._schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise BadCatalogRequest(
                f"{self._relation} has a column of another type than its rows: {error}. "
                "Rename or drop the table; the next run makes it anew."
            ) from error

    def _save(self, path: Path) -> None:
        location = f"{self._metadata.location}/data/{uuid.uuid4()}.parquet"
        described = data_file(path, location=location, metadata=self._metadata)
        save_file(self._warehouse, location, path)
        self.files.append(described)
        path.unlink()

    def remove(self) -> None:
        """Delete the files, which no snapshot names; one that stays behind is an orphan and does no harm."""
        for file in self.files:
            try:
                delete_file(self._warehouse, file.file_path)
            except LakehouseError as error:
                logger.warning("data file left behind", extra={"location": file.file_path, "detail": error.detail})
        self.files.clear()
