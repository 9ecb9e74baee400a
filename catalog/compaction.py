"""Many small data files of a table become few: one snapshot of the operation `replace`, with the same rows.

Appends that come in between survive, as the snapshot is put on top of theirs. Whoever changes or deletes rows of the
files in question wins: then the new files are removed and nothing has happened.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson
from pyiceberg.exceptions import ValidationException
from pyiceberg.io import OutputFile
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table, Transaction

from catalog.callers import Caller
from catalog.commits import TableChange, commit_tables
from catalog.compaction_files import NewFiles, rewrite
from catalog.errors import BadCatalogRequest, CommitFailed, CommitStateUnknown
from catalog.models import Relation, Warehouse
from catalog.own_catalog import OwnCatalog, as_dicts, metadata_of
from catalog.relations import find_table
from catalog.warehouse_files import delete_file
from catalog.warehouse_io import WarehouseIO
from lakehouse_site.errors import LakehouseError

logger = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 8
DEFAULT_TARGET_BYTES: Final = 128 * 1024 * 1024
DEFAULT_MIN_FILES: Final = 5
SMALL_SHARE: Final = 0.75
"""Files of less than this share of the target are worth rewriting."""

_WRITABLE_VERSIONS = (1, 2)


@dataclass(frozen=True, slots=True)
class Compacted:
    """What was rewritten, or would be.

    Attributes
    ----------
    snapshot_id
        Of the new snapshot; None if nothing was committed.
    skipped
        Why nothing was done; empty if something was.
    """

    table: str
    files_before: int = 0
    files_after: int = 0
    rows: int = 0
    size_bytes_before: int = 0
    size_bytes_after: int = 0
    snapshot_id: int | None = None
    skipped: str = ""


class _NotingIO(WarehouseIO):
    """Knows the files that were written through it."""

    def __init__(self, warehouse: Warehouse) -> None:
        super().__init__(warehouse)
        self.written: list[str] = []

    def new_output(self, location: str) -> OutputFile:
        self.written.append(location)
        return super().new_output(location)


@dataclass(frozen=True, slots=True)
class _Group:
    """Small files of one partition."""

    tasks: list[FileScanTask] = field(default_factory=list)


def compact_table(
    *,
    relation: Relation,
    target_bytes: int = DEFAULT_TARGET_BYTES,
    min_files: int = DEFAULT_MIN_FILES,
    is_dry_run: bool = False,
    caller: Caller,
) -> Compacted:
    """Rewrite the small data files of each partition that has at least `min_files` of them.

    Raises
    ------
    CommitFailed
        Rows of these files were changed meanwhile, or others were faster every time. Nothing was changed.
    BadCatalogRequest, StorageFailed, NotGranted, NoSuchTable
        A file cannot be read or written; the caller may not; the table is gone. Nothing was changed.
    """
    warehouse = relation.namespace.warehouse
    standing = find_table(
        warehouse=warehouse, levels=relation.namespace.levels, name=relation.name, caller=caller
    )
    name = str(standing)
    skipped = _why_not(standing)
    if skipped:
        return Compacted(name, skipped=skipped)
    table = _table(standing, warehouse, caller)
    try:
        tasks = list(table.scan().plan_files())
    except ValueError as error:  # equality deletes
        return Compacted(name, skipped=f"Its files cannot be planned here: {error}. Compact it with an engine.")
    if any(task.delete_files for task in tasks):
        return Compacted(name, skipped="Rows of it are deleted by delete files: compact it with an engine.")
    groups = _groups(tasks, table.metadata.default_spec_id, target_bytes, min_files)
    old = [task.file for group in groups for task in group]
    result = Compacted(
        name, len(old), 0, sum(one.record_count for one in old), sum(one.file_size_in_bytes for one in old)
    )
    if not old:
        return replace(result, skipped=f"No partition of it has {min_files} small files.")
    if is_dry_run:
        parts = (sum(task.file.file_size_in_bytes for task in group) for group in groups)
        return replace(result, files_after=sum(max(1, -(-part // target_bytes)) for part in parts))
    new = rewrite(table=table, warehouse=warehouse, groups=groups, target_bytes=target_bytes)
    try:
        snapshot_id = _commit(standing, old, new, warehouse, caller)
    except CommitStateUnknown:
        raise  # perhaps they are needed
    except Exception:
        _remove(warehouse, new.locations)
        raise
    size = sum(one.file_size_in_bytes for one in new.files)
    return replace(result, files_after=len(new.files), size_bytes_after=size, snapshot_id=snapshot_id)


def _why_not(relation: Relation) -> str:
    metadata = orjson.loads(relation.metadata_text)
    if metadata["format-version"] not in _WRITABLE_VERSIONS:
        return (
            f"It has format version {metadata['format-version']}, whose rows carry numbers that a rewrite here would "
            "lose: compact it with an engine."
        )
    if relation.current_snapshot_id is None:
        return "It has no rows."
    return ""


def _table(relation: Relation, warehouse: Warehouse, caller: Caller, io: WarehouseIO | None = None) -> Table:
    return Table(
        identifier=(*relation.namespace.levels, relation.name),
        metadata=metadata_of(relation),
        metadata_location=relation.metadata_location,
        io=io or WarehouseIO(warehouse),
        catalog=OwnCatalog(warehouse, caller),
    )


def _groups(
    tasks: Iterable[FileScanTask], spec_id: int, target_bytes: int, min_files: int
) -> list[list[FileScanTask]]:
    """Return the small Parquet files by partition, where there are enough of them; oldest first."""
    found: dict[str, list[FileScanTask]] = {}
    for task in tasks:
        file = task.file
        is_small = file.file_size_in_bytes < SMALL_SHARE * target_bytes
        if file.spec_id == spec_id and is_small and str(getattr(file.file_format, "value", "")) == "PARQUET":
            found.setdefault(repr(file.partition), []).append(task)
    return [group for group in found.values() if len(group) >= max(2, min_files)]


def _commit(
    relation: Relation, old: Sequence[DataFile], new: NewFiles, warehouse: Warehouse, caller: Caller
) -> int:
    levels, name = relation.namespace.levels, relation.name
    spec_id = metadata_of(relation).default_spec_id
    for _ in range(MAX_ATTEMPTS):
        standing = find_table(warehouse=warehouse, levels=levels, name=name, caller=caller)
        io = _NotingIO(warehouse)
        try:
            _check_unchanged(standing, relation, spec_id)
            updates, requirements = _snapshot(_table(standing, warehouse, caller, io), old, new)
            change = TableChange(levels, name, requirements, updates)
            (row,) = commit_tables(warehouse=warehouse, changes=[change], caller=caller, action="compact")
        except CommitStateUnknown:
            raise
        except Exception as error:
            _remove(warehouse, io.written)
            if isinstance(error, ValidationException | _Deleted):
                detail = f"Rows of {relation} were changed while its files were rewritten: nothing was replaced."
                raise CommitFailed(detail) from error
            if isinstance(error, CommitFailed) and not isinstance(error, _Changed):
                continue
            raise
        return next(one["snapshot"]["snapshot-id"] for one in updates if one["action"] == "add-snapshot" and row)
    raise CommitFailed(f"{relation} kept changing while {MAX_ATTEMPTS} attempts were made. Try again.")
