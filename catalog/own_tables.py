"""Our own rows as tables that other engines read: each write is one snapshot, and happens once.

The rows of the database stay the truth, a table is a copy that says how far it goes: its snapshot carries marks, and
the next write goes on from them. A snapshot is committed only on top of the one whose marks were read. So a process
that is killed leaves either nothing (files that no snapshot names are orphans) or everything, and of two at once the
one that comes second looks again and writes what is then missing.

Marks stand in the properties of the table too, for the day when an engine has rewritten its files and the snapshots
that carried them have expired. Where a snapshot carries them, it counts: a rollback takes them back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import orjson
import pyarrow as pa
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.table import Transaction

from catalog import namespaces, relations
from catalog.appends import append_files
from catalog.callers import SYSTEM, Caller
from catalog.errors import AlreadyExists, CommitFailed
from catalog.models import Relation, Warehouse
from catalog.own_catalog import OwnCatalog, as_table
from catalog.own_files import NewFiles, check_writable_by_us
from catalog.own_table_types import MARK, NAMESPACE, STATE, Held, OwnTable, Rows, Source, Written
from catalog.warehouses import default_warehouse

MAX_ATTEMPTS: Final = 8
BATCH_ROWS: Final = 50_000
BATCH_CHARACTERS: Final = 16 * 1024 * 1024


def append_rows(*, table: OwnTable, source: Source, caller: Caller = SYSTEM, is_dry_run: bool = False) -> Written:
    """Add the rows that a table does not have yet; it is made, and gets new columns, where need be.

    Parameters
    ----------
    source
        Told what the table holds, it returns what is missing.
    is_dry_run
        Read and count the rows, and change nothing.

    Raises
    ------
    CommitFailed
        Others were faster every time.
    CommitStateUnknown
        Nobody knows whether it was committed; the next call finds out.
    BadCatalogRequest, AlreadyExists
        Somebody has made the table another one than ours.
    """
    return _write(table, source, caller, is_overwrite=False, is_dry_run=is_dry_run)


def replace_rows(*, table: OwnTable, source: Source, caller: Caller = SYSTEM, is_dry_run: bool = False) -> Written:
    """Put rows in the place of all that a table has; else as `append_rows`."""
    return _write(table, source, caller, is_overwrite=True, is_dry_run=is_dry_run)


def batches_of(table: OwnTable, rows: Iterable[Sequence[Any]]) -> Iterator[pa.RecordBatch]:
    """Yield rows, with their values in the order of the table's columns, as batches of bounded size."""
    schema = schema_to_pyarrow(Schema.model_validate(table.schema() | {"schema-id": 0}))
    held: list[Sequence[Any]] = []
    characters = 0
    for row in rows:
        held.append(row)
        characters += sum(len(value) for value in row if isinstance(value, str))
        if len(held) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield _batch(schema, held)
            held, characters = [], 0
    if held:
        yield _batch(schema, held)


def _batch(schema: pa.Schema, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.record_batch(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema
    )


def whole_state(table: OwnTable, read: Callable[[], Iterable[Sequence[Any]]]) -> Source:
    """Return a source, for `replace_rows`, of rows that change: they are written when they are not what was written.

    Parameters
    ----------
    read
        Reads all rows, in an order that stays; called once to compare and once to write.
    """

    def source(held: Held) -> Rows | None:
        found: dict[str, str] = {}
        for _ in _digested(read(), found):
            pass
        if found[STATE] == held.marks.get(STATE):
            return None
        # Digested again while they are written: the mark has to be that of the rows in the table.
        written: dict[str, str] = {}
        return Rows(batches_of(table, _digested(read(), written)), written)

    return source


def _digested(rows: Iterable[Sequence[Any]], marks: dict[str, str]) -> Iterator[Sequence[Any]]:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(orjson.dumps(row) + b"\n")
        yield row
    marks[STATE] = digest.hexdigest()


def _write(table: OwnTable, source: Source, caller: Caller, *, is_overwrite: bool, is_dry_run: bool) -> Written:
    warehouse = default_warehouse()
    for _ in range(MAX_ATTEMPTS):
        relation = _standing(warehouse, table, caller) if not is_dry_run else _look_up(warehouse, table)
        rows = source(_held(relation, caller))
        if rows is None:
            if relation is None:
                return Written(str(table), 0, 0, None, is_changed=False, is_dry_run=True)
            return replace(_written(relation, table, 0, is_changed=False), is_dry_run=is_dry_run)
        if relation is None or is_dry_run:
            count = sum(batch.num_rows for batch in rows.batches)
            total = relation.row_count if relation else 0
            return Written(str(table), count, total, None, is_changed=True, is_dry_run=True)
        done = _try(relation, table, rows, caller, is_overwrite=is_overwrite)
        if done is not None:
            return done
    raise CommitFailed(f"{table} kept changing while {MAX_ATTEMPTS} attempts were made. Try again.")


def _try(relation: Relation, table: OwnTable, rows: Rows, caller: Caller, *, is_overwrite: bool) -> Written | None:
    """Write the rows and commit them on top of the snapshot that stands; None if another came in between."""
    # A transaction that nobody commits: pyiceberg gives new columns the ids they will have.
    draft = Transaction(as_table(relation, OwnCatalog(relation.namespace.warehouse, caller)))
    _evolve(draft, table)
    new = NewFiles(relation, table, draft.table_metadata)
    new.write(rows.batches)
    marks = dict(rows.marks)

    def change(transaction: Transaction) -> None:
        _evolve(transaction, table)
        transaction.set_properties(marks)

    if not new.files and not is_overwrite:
        return _written(relation, table, 0, is_changed=False)
    try:
        row, is_new = append_files(
            relation=relation, files=new.files, summary=marks, caller=caller, is_overwrite=is_overwrite, evolve=change,
            is_there=lambda standing: standing.current_snapshot_id != relation.current_snapshot_id,
        )  # fmt: skip
    except CommitFailed:
        new.remove()
        return None
    if not is_new:
        new.remove()
        return None
    return _written(row, table, new.rows, is_changed=True)


def _written(relation: Relation, table: OwnTable, rows: int, *, is_changed: bool) -> Written:
    return Written(str(table), rows, relation.row_count, relation.current_snapshot_id, is_changed, is_dry_run=False)


def _evolve(transaction: Transaction, table: OwnTable) -> None:
    known = {field.name for field in transaction.table_metadata.schema().fields}
    ours = Schema.model_validate(table.schema() | {"schema-id": 0})
    missing = [field for field in ours.fields if field.name not in known]
    if not missing:
        return
    with transaction.update_schema() as update:
        for field in missing:
            update.add_column((field.name,), field.field_type, doc=field.doc)


def _look_up(warehouse: Warehouse, table: OwnTable) -> Relation | None:
    found = relations.look_up(warehouse, NAMESPACE, table.name)
    if found is not None and found.kind != Relation.Kind.TABLE:
        raise AlreadyExists(f"View already exists: {table}. Rename it; the table of our rows needs the name.")
    if found is not None:
        check_writable_by_us(found, table)
    return found


def _standing(warehouse: Warehouse, table: OwnTable, caller: Caller) -> Relation:
    found = _look_up(warehouse, table)
    if found is not None:
        return found
    with suppress(AlreadyExists):
        namespaces.create_namespace(warehouse=warehouse, levels=NAMESPACE, caller=caller)
    request = {
        "name": table.name,
        "schema": table.schema(),
        "partition-spec": table.partition_spec(),
        "properties": {"comment": table.doc},
    }
    with suppress(AlreadyExists):  # a moment ago, by another process
        relations.create_table(warehouse=warehouse, levels=NAMESPACE, request=request, caller=caller)
    return relations.find_table(warehouse=warehouse, levels=NAMESPACE, name=table.name, caller=caller)


def _held(relation: Relation | None, caller: Caller) -> Held:
    if relation is None:
        return Held({}, set)

    def partitions() -> set[str]:
        tasks = as_table(relation, OwnCatalog(relation.namespace.warehouse, caller)).scan().plan_files()
        return {task.file.partition[0] for task in tasks}

    return Held(_marks_of(orjson.loads(relation.metadata_text)), partitions)


def _marks_of(metadata: Mapping[str, Any]) -> dict[str, str]:
    by_id = {snapshot["snapshot-id"]: snapshot for snapshot in metadata.get("snapshots") or ()}
    found = by_id.pop(metadata.get("current-snapshot-id"), None)
    if found is None:
        return {}
    while found is not None:
        if marks := _ours(found.get("summary") or {}):
            return marks
        found = by_id.pop(found.get("parent-snapshot-id"), None)
    return _ours(metadata.get("properties") or {})


def _ours(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if name.startswith(MARK)}
