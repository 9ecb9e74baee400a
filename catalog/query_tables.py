"""What a query worker gets of a table: its fields, and its files as paths it may open."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from catalog.callers import Caller
from catalog.errors import NotGranted
from catalog.ingest import current_fields
from catalog.models import Relation, Warehouse
from catalog.relations import find_table
from catalog.sql_tree import TableName
from catalog.warehouse_copies import on_disk
from lakehouse_site.errors import InvalidInput, NotFound, TooLarge

MAX_FILES: Final = 20_000
MAX_FETCHED_BYTES: Final = 8 * 1024**3
"""Of files in a bucket, which are copied here for a query: workers have no credentials."""


@dataclass(frozen=True, slots=True)
class Rows:
    """How to come by the rows of a table: see `catalog.query_feeds.feed_of`."""

    facts: dict[str, Any]
    scan: bytes


def table_of(name: TableName, *, warehouse: Warehouse, caller: Caller) -> Relation:
    """Return the table that a statement means. `"a.b".t` is in the namespace a.b, be it one level or two.

    Raises
    ------
    InvalidInput, NotGranted
        There is none; the caller may not read it.
    """
    levels = [part for part in (name.catalog, name.schema) if part]
    choices: list[Sequence[str]] = [levels, ".".join(levels).split(".")]
    refusal: NotGranted | None = None
    for choice in choices if choices[0] != choices[1] else choices[:1]:
        try:
            return find_table(warehouse=warehouse, levels=choice, name=name.table, caller=caller)
        except NotFound:
            continue
        except NotGranted as error:  # the other one may be what is meant, and granted
            refusal = error
    if refusal is not None:
        raise refusal
    shown = ".".join([*levels, name.table])
    raise InvalidInput.at("/sql", "table_not_found", f"There is no table {shown}.")


def rows_of(relation: Relation, *, caller: Caller, folder: Path) -> Rows:
    """Return how a worker comes by the rows of a table's current snapshot.

    Parameters
    ----------
    folder
        Gets copies of files that lie in a bucket.

    Raises
    ------
    InvalidInput
        The table has files that are not read here.
    TooLarge
        It has too many, or too much would have to be copied.
    """
    # pyiceberg takes a second to import, and most processes never need it.
    from catalog.own_catalog import OwnCatalog, as_table

    warehouse = relation.namespace.warehouse
    table = as_table(relation, OwnCatalog(warehouse, caller))
    try:
        tasks = list(table.scan().plan_files())
    except ValueError as error:  # equality deletes
        raise InvalidInput.at("/sql", "unreadable", f"{relation} cannot be read here: {error}.") from error
    described = {file.file_path: file for task in tasks for file in (task.file, *task.delete_files)}
    if len(described) > MAX_FILES:
        raise TooLarge(f"{relation} has {len(described)} files; a query reads {MAX_FILES} at the most. Compact it.")
    is_remote = not warehouse.root.startswith("file:")
    size = sum(file.file_size_in_bytes for file in described.values())
    if is_remote and size > MAX_FETCHED_BYTES:
        raise TooLarge(f"{relation} has {size} bytes; a query copies {MAX_FETCHED_BYTES} at the most. Use an engine.")
    formats = {str(getattr(file.file_format, "value", file.file_format)) for file in described.values()}
    facts = {
        "fields": current_fields(orjson.loads(relation.metadata_text)),
        "files": {location: str(on_disk(warehouse, location, folder)) for location in described},
        "has_deletes": any(task.delete_files for task in tasks) or not formats <= {"PARQUET"},
    }
    return Rows(facts, pickle.dumps((table.metadata, tasks)))
