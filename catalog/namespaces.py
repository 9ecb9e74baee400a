"""Namespaces: list, create, find, drop, and their properties."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils import timezone

from catalog import grants
from catalog.callers import SYSTEM, Caller
from catalog.errors import AlreadyExists, BadCatalogRequest, NamespaceNotEmpty, NoSuchNamespace, Unprocessable
from catalog.models import Namespace, Relation, Warehouse
from catalog.names import SEPARATOR, check_levels, dotted, path_of, slug
from catalog.recorded import write


@dataclass(frozen=True, slots=True)
class ChangedProperties:
    """What became of a change of properties: the keys that were set, removed, or were not there to remove."""

    updated: tuple[str, ...]
    removed: tuple[str, ...]
    missing: tuple[str, ...]


def living(warehouse: Warehouse) -> QuerySet[Namespace]:
    """Return the namespaces that have not been dropped."""
    return Namespace.objects.filter(warehouse=warehouse, deleted_at=None)


def find_namespace(*, warehouse: Warehouse, levels: Sequence[str], caller: Caller = SYSTEM) -> Namespace:
    """Return a namespace.

    Raises
    ------
    NotGranted, NoSuchNamespace
        The caller may not read it; there is none.
    """
    grants.require(caller=caller, warehouse=warehouse, levels=levels, privilege=grants.READ)
    found = living(warehouse).filter(path=path_of(levels)).first()
    if found is None:
        raise NoSuchNamespace(f"Namespace does not exist: {dotted(levels)}")
    return found


def is_there(*, warehouse: Warehouse, levels: Sequence[str]) -> bool:
    """Return whether there is a namespace. Grants are not asked."""
    return living(warehouse).filter(path=path_of(levels)).exists()


def list_namespaces(
    *, warehouse: Warehouse, parent: Sequence[str] = (), after: str = "", limit: int | None = None,
    caller: Caller = SYSTEM,
) -> list[Namespace]:  # fmt: skip
    """Return the namespaces right below `parent`, by name; those past the path `after`.

    Under grants, those that the caller may read, and those on the way to them.
    """
    found = living(warehouse)
    if parent:
        grants.require_way(caller=caller, warehouse=warehouse, levels=parent)
        find_namespace(warehouse=warehouse, levels=parent)
        found = found.filter(path__startswith=path_of(parent) + SEPARATOR)
    rows = [
        row
        for row in found.filter(path__gt=after).order_by("path").iterator()
        if len(row.levels) == len(parent) + 1 and tuple(row.levels[: len(parent)]) == tuple(parent)
    ]
    return grants.on_the_way(caller=caller, warehouse=warehouse, namespaces=rows)[:limit]


def create_namespace(
    *, warehouse: Warehouse, levels: Sequence[str], properties: Mapping[str, str] | None = None, caller: Caller
) -> Namespace:
    """Make a namespace, and those above it that are missing.

    Raises
    ------
    BadCatalogRequest, NotGranted, AlreadyExists
        Nothing was made.
    """
    wanted = check_levels(levels)
    sent = check_properties({} if properties is None else properties)
    grants.require(caller=caller, warehouse=warehouse, levels=wanted, privilege=grants.MANAGE)

    def work() -> Namespace:
        if living(warehouse).filter(path=path_of(wanted)).exists():
            raise AlreadyExists(f"Namespace already exists: {dotted(wanted)}")
        for depth in range(1, len(wanted)):
            if not living(warehouse).filter(path=path_of(wanted[:depth])).exists():
                _insert(warehouse, wanted[:depth], {})
        return _insert(warehouse, wanted, sent)

    try:
        return write(work, caller=caller)
    except IntegrityError as error:
        raise AlreadyExists(f"Namespace already exists: {dotted(wanted)}") from error


def _insert(warehouse: Warehouse, levels: tuple[str, ...], properties: Mapping[str, str]) -> Namespace:
    return Namespace.objects.create(
        warehouse=warehouse,
        levels=list(levels),
        path=path_of(levels),
        properties=orjson.dumps(properties).decode(),
        location=f"{warehouse.root}/{slug('-'.join(levels))}-{secrets.token_hex(4)}",
    )


def drop_namespace(*, warehouse: Warehouse, levels: Sequence[str], caller: Caller) -> None:
    """Drop a namespace that has nothing in it; tables that were dropped from it can still be undropped.

    Raises
    ------
    NotGranted, NoSuchNamespace, NamespaceNotEmpty
        Nothing was dropped.
    """
    grants.require(caller=caller, warehouse=warehouse, levels=levels, privilege=grants.MANAGE)

    def work() -> None:
        row = lock_namespace(warehouse, levels)
        tables = Relation.objects.filter(namespace=row, deleted_at=None).count()
        if tables:
            raise NamespaceNotEmpty(f"Namespace {dotted(levels)} is not empty. Contains {tables} table(s) or view(s).")
        # SQLite's LIKE takes no notice of case.
        near = living(warehouse).filter(path__startswith=row.path + SEPARATOR)
        below = [found for found in near if found.levels[: len(levels)] == list(levels)]
        if below:
            raise NamespaceNotEmpty(f"Namespace {dotted(levels)} is not empty. Contains {len(below)} namespace(s).")
        Namespace.objects.filter(pk=row.pk).update(deleted_at=timezone.now())

    write(work, caller=caller)


def lock_namespace(warehouse: Warehouse, levels: Sequence[str]) -> Namespace:
    """Return a living namespace, locked to the end of the transaction against being dropped."""
    found = living(warehouse).select_for_update().filter(path=path_of(levels)).first()
    if found is None:
        raise NoSuchNamespace(f"Namespace does not exist: {dotted(levels)}")
    return found


def update_properties(
    *, warehouse: Warehouse, levels: Sequence[str], removals: Sequence[str], updates: Mapping[str, str], caller: Caller
) -> ChangedProperties:
    """Set and remove properties of a namespace.

    Raises
    ------
    Unprocessable
        A key is to be set and removed at once.
    NotGranted, NoSuchNamespace, BadCatalogRequest
        Nothing was changed.
    """
    both = sorted(set(removals) & set(updates))
    if both:
        raise Unprocessable(f"Invalid namespace update: cannot simultaneously set and remove keys: [{', '.join(both)}]")
    sent = check_properties(updates)
    grants.require(caller=caller, warehouse=warehouse, levels=levels, privilege=grants.MANAGE)

    def work() -> ChangedProperties:
        row = lock_namespace(warehouse, levels)
        held = properties_of(row)
        asked = tuple(dict.fromkeys(removals))
        removed = tuple(key for key in asked if held.pop(key, None) is not None)
        held.update(sent)
        Namespace.objects.filter(pk=row.pk).update(properties=orjson.dumps(held).decode())
        return ChangedProperties(tuple(sent), removed, tuple(key for key in asked if key not in removed))

    return write(work, caller=caller)


def properties_of(namespace: Namespace) -> dict[str, str]:
    """Return the properties of a namespace."""
    found: dict[str, str] = orjson.loads(namespace.properties)
    return found


def check_properties(properties: Any) -> dict[str, str]:
    """Return properties if they are texts by texts, else raise BadCatalogRequest."""
    if not isinstance(properties, Mapping):
        raise BadCatalogRequest("Invalid properties: they must be an object.", pointer="/properties")
    for key, value in properties.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise BadCatalogRequest(f"Invalid properties: the value of {key!r} is no text.", pointer="/properties")
    return dict(properties)
