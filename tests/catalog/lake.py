"""Tables with rows for the tests of maintenance, written and read through the catalog in this process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from pyiceberg.table import Table

from catalog import relation_moves
from catalog.callers import SYSTEM
from catalog.expiry import Expired, expire_tables
from catalog.models import Relation, Warehouse
from catalog.own_catalog import OwnCatalog
from catalog.reachability import files_of_relation
from catalog.relations import create_table
from catalog.view_relations import create_view

FIELDS: tuple[dict[str, Any], ...] = ({"id": 1, "name": "id", "type": "long", "required": False},)


def make_table(
    warehouse: Warehouse,
    name: str = "t",
    *,
    version: int = 2,
    fields: Sequence[dict[str, Any]] = FIELDS,
    properties: Mapping[str, str] | None = None,
    partition_spec: dict[str, Any] | None = None,
) -> Table:
    body: dict[str, Any] = {
        "name": name,
        "schema": {"type": "struct", "fields": list(fields)},
        "properties": {"format-version": str(version), **(properties or {})},
    }
    if partition_spec is not None:
        body["partition-spec"] = partition_spec
    create_table(warehouse=warehouse, levels=["ns"], request=body, caller=SYSTEM)
    return table_of(warehouse, name)


def make_view(warehouse: Warehouse, name: str = "v") -> None:
    version = {
        "version-id": 1,
        "timestamp-ms": 1_700_000_000_000,
        "schema-id": 0,
        "summary": {"engine-name": "test"},
        "representations": [{"type": "sql", "sql": "SELECT 1 AS id", "dialect": "duckdb"}],
        "default-namespace": ["ns"],
    }
    body = {
        "name": name,
        "schema": {"type": "struct", "fields": list(FIELDS)},
        "view-version": version,
        "properties": {},
    }
    create_view(warehouse=warehouse, levels=["ns"], request=body, caller=SYSTEM)


def table_of(warehouse: Warehouse, name: str = "t") -> Table:
    return OwnCatalog(warehouse, SYSTEM).load_table(("ns", name))


def append(warehouse: Warehouse, *ids: int, name: str = "t") -> int:
    """Append rows in a file of their own; return the snapshot."""
    table = table_of(warehouse, name)
    table.append(pa.table({"id": pa.array(ids, pa.int64())}))
    return int(table.metadata.current_snapshot_id or 0)


def ids_of(warehouse: Warehouse, name: str = "t", **scan: Any) -> list[int]:
    return sorted(table_of(warehouse, name).scan(**scan).to_arrow()["id"].to_pylist())


def row_of(name: str = "t") -> Relation:
    return Relation.objects.select_related("namespace__warehouse").get(name=name, deleted_at=None)


def metadata_of(name: str = "t") -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(row_of(name).metadata_text)
    return found


def drop(warehouse: Warehouse, name: str = "t", *, purge: bool = False) -> Relation:
    return relation_moves.drop(warehouse=warehouse, levels=["ns"], name=name, purge_requested=purge, caller=SYSTEM)


def stored(warehouse: Warehouse) -> set[str]:
    """Return every file on the disk, as locations."""
    root = Path(warehouse.root.removeprefix("file://"))
    return {f"file://{path}" for path in root.rglob("*") if path.is_file()}


def needed(warehouse: Warehouse) -> set[str]:
    """Return every file that a table, dropped ones included, leads to."""
    return {one.location for row in Relation.objects.all() for one in files_of_relation(warehouse, row)}


def age(locations: Iterable[str], *, hours: float = 24 * 30) -> None:
    """Let files look as if they had been written some time ago."""
    then = time.time() - hours * 3600
    for location in locations:
        os.utime(location.removeprefix("file://"), (then, then))


def plant(warehouse: Warehouse, key: str, *, hours: float = 24 * 30) -> str:
    """Write a file that nothing needs, some time ago."""
    path = Path(warehouse.root.removeprefix("file://"), key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"garbage")
    age([str(path)], hours=hours)
    return f"file://{path}"


def expire(name: str = "t", **options: Any) -> Expired:
    """Expire what may go of one table, by default all but the current snapshot and without any grace."""
    zero = timedelta(0)
    options = {"older_than": zero, "keep": 1, "grace": zero, **options}
    (result,), failures = expire_tables(relations=[row_of(name)], caller=SYSTEM, **options)
    assert failures == []
    return result
