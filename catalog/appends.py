"""Data files that already lie in the warehouse become a snapshot of a table: added to its rows, or in their place.

pyiceberg writes the manifests; the commit is ours. Should somebody else commit in between, the snapshot is put on top
of theirs, after `is_there` has had another look: what makes a repeated call harmless must hold at the moment of the
commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import CreateTableTransaction, StagedTable, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.typedef import Record

from catalog.callers import Caller
from catalog.commits import TableChange, commit_tables
from catalog.errors import AlreadyExists, BadCatalogRequest, CommitFailed
from catalog.models import Relation, Warehouse
from catalog.own_catalog import OwnCatalog, as_dicts, as_table, metadata_of
from catalog.relations import find_table

MAX_ATTEMPTS: Final = 8
WRITABLE_VERSIONS: Final = (1, 2)

IsThere = Callable[[Relation], bool]


def data_file(path: Path, *, location: str, metadata: TableMetadata, partition: Record | None = None) -> DataFile:
    """Return what a manifest says of a Parquet file, whose columns carry the ids of the table's current schema.

    Parameters
    ----------
    path
        Where it can be read.
    location
        Where it lies in the warehouse.
    partition
        Of all its rows; None: it is read off the statistics of the file.
    """
    footer = pq.read_metadata(path)
    schema = metadata.schema()
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=footer,
        stats_columns=compute_statistics_plan(schema, metadata.properties),
        parquet_column_mapping=_columns_of(footer, parquet_path_to_id_mapping(schema)),
    )
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=statistics.partition(metadata.spec(), schema) if partition is None else partition,
        file_size_in_bytes=path.stat().st_size,
        sort_order_id=None,
        spec_id=metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def _columns_of(footer: pq.FileMetaData, by_path: Mapping[str, int]) -> dict[str, int]:
    """Return the ids by the paths that the file has: writers differ in what they call the inside of lists and maps."""
    found = dict(by_path)
    by_plain = {_plain(path): number for path, number in by_path.items()}
    for position in range(footer.num_columns):
        path = footer.schema.column(position).path
        if path not in found and _plain(path) in by_plain:
            found[path] = by_plain[_plain(path)]
    return found


def _plain(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split(".") if part not in ("list", "bag", "array", "key_value", "map"))


def check_writable(metadata: Mapping[str, Any], name: str) -> None:
    """Raise BadCatalogRequest for tables that an engine has to write."""
    if metadata["format-version"] not in WRITABLE_VERSIONS:
        raise BadCatalogRequest(f"{name} has format version {metadata['format-version']}: write it with an engine.")
    specs = {spec["spec-id"]: spec for spec in metadata.get("partition-specs", ())}
    if specs.get(metadata.get("default-spec-id"), {}).get("fields"):
        raise BadCatalogRequest(f"{name} is partitioned: write it with an engine, which sorts the rows into files.")


def create_with_files(
    *, warehouse: Warehouse, staged: StagedTable, files: Sequence[DataFile], summary: Mapping[str, str], caller: Caller
) -> Relation:
    """Make a table and its first snapshot in one commit.

    Raises
    ------
    AlreadyExists, NotGranted, NoSuchNamespace
        Nothing was made.
    """
    transaction = CreateTableTransaction(staged)
    if files:
        _add(transaction, files, summary, is_overwrite=False)
    *levels, name = staged.name()
    change = TableChange(levels, name, [{"type": "assert-create"}], as_dicts(transaction._updates))
    try:
        return commit_tables(warehouse=warehouse, changes=[change], caller=caller, action="ingest")[0]
    except CommitFailed as error:  # its name was free a moment ago
        raise AlreadyExists(f"Table already exists: {'.'.join(staged.name())}") from error


def append_files(
    *,
    relation: Relation,
    files: Sequence[DataFile],
    summary: Mapping[str, str],
    caller: Caller,
    is_overwrite: bool = False,
    evolve: Callable[[Transaction], None] | None = None,
    is_there: IsThere = lambda _: False,
) -> tuple[Relation, bool]:
    """Commit data files to a table; return it, and whether they were not there already.

    Parameters
    ----------
    relation
        The table for whose current schema the files were written.
    summary
        What the snapshot says of itself beyond its counts.
    is_overwrite
        The files take the place of all rows.
    evolve
        Changes the schema first, in the same commit.
    is_there
        Asked of the table as it stands before each attempt; true: nothing is done.

    Raises
    ------
    CommitFailed
        The schema has been changed by somebody else, or others were faster every time.
    NoSuchTable, NotGranted, BadCatalogRequest
        Nothing was changed.
    """
    warehouse, levels = relation.namespace.warehouse, relation.namespace.levels
    schema_id = metadata_of(relation).current_schema_id
    for _ in range(MAX_ATTEMPTS):
        standing = find_table(warehouse=warehouse, levels=levels, name=relation.name, caller=caller)
        if standing.uuid != relation.uuid or metadata_of(standing).current_schema_id != schema_id:
            raise CommitFailed(f"The schema of {relation} was changed meanwhile. Try again.")
        if is_there(standing):
            return standing, False
        transaction = Transaction(as_table(standing, OwnCatalog(warehouse, caller)))
        if evolve is not None:
            evolve(transaction)
        if files or is_overwrite:
            _add(transaction, files, summary, is_overwrite=is_overwrite)
        with suppress(CommitFailed):
            return _committed(standing, transaction, caller), True
    raise CommitFailed(f"{relation} kept changing while {MAX_ATTEMPTS} attempts were made. Try again.")


def _committed(standing: Relation, transaction: Transaction, caller: Caller) -> Relation:
    requirements = [*as_dicts(transaction._requirements), {"type": "assert-table-uuid", "uuid": str(standing.uuid)}]
    change = TableChange(standing.namespace.levels, standing.name, requirements, as_dicts(transaction._updates))
    warehouse = standing.namespace.warehouse
    return commit_tables(warehouse=warehouse, changes=[change], caller=caller, action="ingest")[0]


def _add(
    transaction: Transaction, files: Sequence[DataFile], summary: Mapping[str, str], *, is_overwrite: bool
) -> None:
    """Write the manifests of a snapshot, and put it among the updates of a transaction that nobody commits."""
    update = transaction.update_snapshot(snapshot_properties=dict(summary))
    if not is_overwrite:
        with update.fast_append() as append:
            for file in files:
                append.append_data_file(file)
        return
    with update.overwrite() as overwrite:
        for task in transaction._table.scan().plan_files():
            overwrite.delete_data_file(task.file)
        for file in files:
            overwrite.append_data_file(file)
