"""Many small data files of a table become few: one snapshot of the operation `replace`, with the same rows.

Appends that come in between survive, as the snapshot is put on top of theirs. Whoever changes or deletes rows of the
files in question wins: then the new files are removed and nothing has happened.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from pyiceberg.exceptions import ValidationException
from pyiceberg.io import OutputFile
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table, Transaction

from catalog.appends import WRITABLE_VERSIONS
from catalog.callers import Caller
from catalog.commits import TableChange, commit_tables
from catalog.compaction_files import NewFiles, reading, rewrite
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
    standing = find_table(warehouse=warehouse, levels=relation.namespace.levels, name=relation.name, caller=caller)
    plan = _planned(standing, warehouse, caller, target_bytes, min_files)
    if isinstance(plan, str):
        return Compacted(str(standing), skipped=plan)
    old = [task.file for group in plan for task in group]
    rows, size = sum(one.record_count for one in old), sum(one.file_size_in_bytes for one in old)
    result = Compacted(str(standing), len(old), 0, rows, size)
    if is_dry_run:
        parts = (sum(task.file.file_size_in_bytes for task in group) for group in plan)
        return replace(result, files_after=sum(max(1, -(-part // target_bytes)) for part in parts))
    table = _table(standing, warehouse, caller)
    new = rewrite(table=table, warehouse=warehouse, groups=plan, target_bytes=target_bytes)
    try:
        snapshot_id = _commit(standing, old, new, warehouse, caller)
    except CommitStateUnknown:
        raise  # perhaps they are needed
    except Exception:
        _remove(warehouse, new.locations)
        raise
    size = sum(one.file_size_in_bytes for one in new.files)
    return replace(result, files_after=len(new.files), size_bytes_after=size, snapshot_id=snapshot_id)


def _planned(
    relation: Relation, warehouse: Warehouse, caller: Caller, target_bytes: int, min_files: int
) -> list[list[FileScanTask]] | str:
    """Return the groups of files to rewrite, or why there are none."""
    version = orjson.loads(relation.metadata_text)["format-version"]
    if version not in WRITABLE_VERSIONS:
        return f"Its format version is {version}; rows would lose their numbers here: compact it with an engine."
    table = _table(relation, warehouse, caller)
    try:
        with reading(str(relation)):
            tasks = list(table.scan().plan_files())
    except BadCatalogRequest as error:
        if isinstance(error.__cause__, ValueError):  # equality deletes
            return f"Its files cannot be planned here: {error.__cause__}. Compact it with an engine."
        raise
    # Files of deletes that belong to a file would have to go with it, and they may belong to others, too.
    whole = [task for task in tasks if not task.delete_files]
    groups = _groups(whole, table.metadata.default_spec_id, target_bytes, min_files)
    if groups:
        return groups
    rest = len(tasks) - len(whole)
    more = f" Beside them {rest} have deleted rows: those are for an engine to compact." if rest else ""
    return f"No partition of it has {min_files} small files.{more}"


def _table(relation: Relation, warehouse: Warehouse, caller: Caller, io: WarehouseIO | None = None) -> Table:
    return Table(
        identifier=(*relation.namespace.levels, relation.name),
        metadata=metadata_of(relation),
        metadata_location=relation.metadata_location,
        io=io or WarehouseIO(warehouse),
        catalog=OwnCatalog(warehouse, caller),
    )


def _groups(tasks: Iterable[FileScanTask], spec_id: int, target_bytes: int, min_files: int) -> list[list[FileScanTask]]:
    """Return the small Parquet files by partition, where there are enough of them; oldest first."""
    found: dict[str, list[FileScanTask]] = {}
    for task in tasks:
        file = task.file
        is_small = file.file_size_in_bytes < SMALL_SHARE * target_bytes
        if file.spec_id == spec_id and is_small and str(getattr(file.file_format, "value", "")) == "PARQUET":
            found.setdefault(repr(file.partition), []).append(task)
    return [group for group in found.values() if len(group) >= max(2, min_files)]


def _commit(relation: Relation, old: Sequence[DataFile], new: NewFiles, warehouse: Warehouse, caller: Caller) -> int:
    levels, name = relation.namespace.levels, relation.name
    for _ in range(MAX_ATTEMPTS):
        standing = find_table(warehouse=warehouse, levels=levels, name=name, caller=caller)
        io = _NotingIO(warehouse)
        try:
            table = _table(standing, warehouse, caller, io)
            _check_unchanged(table, relation, old)
            updates, requirements = _snapshot(table, old, new)
            change = TableChange(levels, name, requirements, updates)
            commit_tables(warehouse=warehouse, changes=[change], caller=caller, action="compact")
        except CommitStateUnknown:
            raise  # perhaps they are needed
        except CommitFailed:
            _remove(warehouse, io.written)
            continue
        except (_Overtaken, ValidationException) as error:
            _remove(warehouse, io.written)
            detail = f"{relation} was changed while its files were rewritten: nothing was replaced. {error}"
            raise CommitFailed(detail) from error
        except Exception:
            _remove(warehouse, io.written)
            raise
        return next(int(one["snapshot"]["snapshot-id"]) for one in updates if one["action"] == "add-snapshot")
    raise CommitFailed(f"{relation} kept changing while {MAX_ATTEMPTS} attempts were made. Try again.")


class _Overtaken(Exception):
    """Somebody has changed what was rewritten."""


def _check_unchanged(table: Table, before: Relation, old: Sequence[DataFile]) -> None:
    """Every file that was rewritten is still there, with all of its rows; new ones beside it do no harm."""
    known = metadata_of(before)
    if table.metadata.table_uuid != known.table_uuid or table.metadata.default_spec_id != known.default_spec_id:
        raise _Overtaken("It is another table now, or is partitioned in another way.")
    with reading(".".join(table.name())):
        standing = {task.file.file_path: task for task in table.scan().plan_files()}
    for file in old:
        task = standing.get(file.file_path)
        if task is None or task.delete_files:
            raise _Overtaken(f"Rows of {file.file_path} were replaced or deleted.")


def _snapshot(table: Table, old: Sequence[DataFile], new: NewFiles) -> tuple[list[dict[str, Any]], list[Any]]:
    """Write the manifests; return updates and requirements of a commit that nobody has made yet."""
    transaction = Transaction(table)
    with transaction.update_snapshot().overwrite() as overwrite:
        for file in old:
            overwrite.delete_data_file(file)
        for file in new.files:
            overwrite.append_data_file(file)
    updates = as_dicts(transaction._updates)
    for update in updates:
        if update["action"] == "add-snapshot":
            # pyiceberg has no such operation; it tells readers of changes that no row has changed.
            update["snapshot"]["summary"]["operation"] = "replace"
    same: Mapping[str, Any] = {"type": "assert-table-uuid", "uuid": str(table.metadata.table_uuid)}
    return updates, [*as_dicts(transaction._requirements), same]


def _remove(warehouse: Warehouse, locations: Sequence[str]) -> None:
    for location in locations:
        try:
            delete_file(warehouse, location)
        except LakehouseError as error:  # `orphans` finds it
            logger.warning("file left behind", extra={"location": location, "detail": error.detail})
