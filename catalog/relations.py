"""Tables and views by their names: find, list, and make new tables."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.db.models import QuerySet

from catalog import grants
from catalog.callers import SYSTEM, Caller
from catalog.errors import AlreadyExists, NoSuchNamespace, NoSuchTable, NoSuchView
from catalog.models import Namespace, Relation, Warehouse
from catalog.names import check_name, dotted, path_of
from catalog.namespaces import find_namespace, living
from catalog.new_snapshots import check_new_places
from catalog.places import own_place, wanted_place
from catalog.relation_writes import TABLE, VIEW, Change, Overtaken, store, the_only
from catalog.table_metadata import new_table_metadata
from catalog.warehouse_files import make_folders


def living_relations(warehouse: Warehouse) -> QuerySet[Relation]:
    """Return the tables and views that have not been dropped."""
    return Relation.objects.filter(namespace__warehouse=warehouse, namespace__deleted_at=None, deleted_at=None)


def find_table(
    *, warehouse: Warehouse, levels: Sequence[str], name: str, caller: Caller = SYSTEM, is_brief: bool = False
) -> Relation:
    """Return a table, with its namespace.

    Parameters
    ----------
    is_brief
        Without its metadata, which may be megabytes.

    Raises
    ------
    NotGranted, NoSuchTable
        The caller may not read it; there is none.
    """
    return find_relation(warehouse=warehouse, levels=levels, name=name, kind=TABLE, caller=caller, is_brief=is_brief)


def find_relation(
    *, warehouse: Warehouse, levels: Sequence[str], name: str, kind: str, caller: Caller = SYSTEM,
    is_brief: bool = False,
) -> Relation:  # fmt: skip
    """Return a table or a view, with its namespace; else as `find_table`."""
    grants.require(caller=caller, warehouse=warehouse, levels=levels, privilege=grants.READ)
    found = look_up(warehouse, levels, name, kind, is_brief=is_brief)
    if found is None:
        raise missing(kind, levels, name)
    return found


def find_any(*, warehouse: Warehouse, levels: Sequence[str], name: str, caller: Caller = SYSTEM) -> Relation:
    """Return the table or view of a name; else as `find_table`."""
    grants.require(caller=caller, warehouse=warehouse, levels=levels, privilege=grants.READ)
    found = look_up(warehouse, levels, name)
    if found is None:
        raise missing(TABLE, levels, name)
    return found


def look_up(
    warehouse: Warehouse, levels: Sequence[str], name: str, kind: str | None = None, *, is_brief: bool = False
) -> Relation | None:
    """Return a living table or view of this name; None if there is none. Grants are not asked."""
    rows = living_relations(warehouse).select_related("namespace").defer(*(("metadata_text",) if is_brief else ()))
    found = rows.filter(namespace__path=path_of(levels), name=name).first()
    return found if found is not None and kind in (None, found.kind) else None


def missing(kind: str, levels: Sequence[str], name: str) -> NoSuchTable | NoSuchView:
    """Return the error that says that there is no such table or view."""
    if kind == VIEW:
        return NoSuchView(f"View does not exist: {dotted(levels, name)}")
    return NoSuchTable(f"Table does not exist: {dotted(levels, name)}")


def list_relations(
    *, warehouse: Warehouse, levels: Sequence[str], kind: str = TABLE, after: str = "", limit: int | None = None,
    caller: Caller = SYSTEM,
) -> list[Relation]:  # fmt: skip
    """Return the tables or views of a namespace by name, without their metadata; those past the name `after`.

    Raises
    ------
    NotGranted, NoSuchNamespace
        The caller may not read it; there is none.
    """
    namespace = find_namespace(warehouse=warehouse, levels=levels, caller=caller)
    rows = Relation.objects.filter(namespace=namespace, kind=kind, deleted_at=None, name__gt=after)
    return list(rows.select_related("namespace").defer("metadata_text").order_by("name")[:limit])


def create_table(
    *, warehouse: Warehouse, levels: Sequence[str], request: Mapping[str, Any], caller: Caller
) -> Relation:
    """Make a table of a `CreateTableRequest` of the protocol.

    Raises
    ------
    NotGranted, NoSuchNamespace, AlreadyExists, BadCatalogRequest
        Nothing was made.
    """
    change = _first_change(warehouse=warehouse, levels=levels, request=request, caller=caller)
    make_folders(warehouse, str(change.metadata["location"]))
    try:
        return store([change], warehouse=warehouse, caller=caller, result=the_only)[0]
    except Overtaken:
        raise taken(warehouse, levels, change.name, TABLE) from None


def stage_table(*, warehouse: Warehouse, levels: Sequence[str], request: Mapping[str, Any], caller: Caller) -> Relation:
    """Return a table that a later commit with `assert-create` may make: its place is decided, no row is written."""
    change = _first_change(warehouse=warehouse, levels=levels, request=request, caller=caller)
    make_folders(warehouse, str(change.metadata["location"]))
    return Relation(
        namespace=change.namespace,
        name=change.name,
        kind=TABLE,
        location=change.metadata["location"],
        metadata_text=orjson.dumps(change.metadata).decode(),
    )


def _first_change(*, warehouse: Warehouse, levels: Sequence[str], request: Mapping[str, Any], caller: Caller) -> Change:
    name = check_name(request.get("name"), what="table name")
    namespace = namespace_for(warehouse=warehouse, levels=levels, name=name, kind=TABLE, caller=caller)
    table_uuid = str(uuid.uuid4())
    wanted = wanted_place(warehouse, request.get("location"))
    location = wanted or own_place(namespace, name, table_uuid)
    metadata = new_table_metadata(request, table_uuid=table_uuid, location=location, now_ms=now_ms())
    check_new_places(warehouse=warehouse, metadata=metadata, before=None, own_folders=[location], caller=caller)
    return Change(namespace, name, TABLE, None, metadata, "create", is_place_chosen=wanted is not None)


def namespace_for(*, warehouse: Warehouse, levels: Sequence[str], name: str, kind: str, caller: Caller) -> Namespace:
    """Return the namespace in which the caller may make something new of this name.

    Raises
    ------
    NotGranted, NoSuchNamespace, AlreadyExists
        It may not; there is no such namespace; the name is taken.
    """
    grants.require(caller=caller, warehouse=warehouse, levels=levels, privilege=grants.WRITE)
    namespace = living(warehouse).filter(path=path_of(levels)).first()
    if namespace is None:
        raise NoSuchNamespace(
            f"Cannot create {kind} {dotted(levels, name)}. Namespace does not exist: {dotted(levels)}"
        )
    if look_up(warehouse, levels, name) is not None:
        raise taken(warehouse, levels, name, kind)
    return namespace


def taken(warehouse: Warehouse, levels: Sequence[str], name: str, kind: str) -> AlreadyExists:
    """Return the error that says what has the name already."""
    held = look_up(warehouse, levels, name)
    other = held.kind if held is not None else kind
    what = "already exists" if other == kind else "with same name already exists"
    return AlreadyExists(f"{other.capitalize()} {what}: {dotted(levels, name)}")


def now_ms() -> int:
    """Return the time as metadata has it: milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
