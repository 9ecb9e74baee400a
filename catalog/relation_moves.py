"""Tables and views change their names, leave the catalog, and come back; their files stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from catalog import grants
from catalog.callers import Caller
from catalog.errors import AlreadyExists, CommitFailed, NoSuchNamespace, NoSuchTable
from catalog.models import Namespace, Relation, Warehouse
from catalog.names import check_levels, check_name, dotted, path_of
from catalog.namespaces import living, lock_namespace
from catalog.recorded import write
from catalog.relation_writes import TABLE, record
from catalog.relations import look_up, missing

_MAX_TRIES = 8


def rename(
    *, warehouse: Warehouse, source: Sequence[str], source_name: str, destination: Sequence[str],
    destination_name: str, kind: str = TABLE, caller: Caller,
) -> Relation:  # fmt: skip
    """Give a table or view another name, perhaps in another namespace.

    Raises
    ------
    NotGranted, NoSuchTable, NoSuchView, NoSuchNamespace, AlreadyExists, BadCatalogRequest
        Nothing was changed.
    """
    name = check_name(destination_name, what=f"{kind} name")
    check_levels(destination)
    grants.require(caller=caller, warehouse=warehouse, levels=source, privilege=grants.MANAGE)
    grants.require(caller=caller, warehouse=warehouse, levels=destination, privilege=grants.WRITE)
    both = f"Cannot rename {dotted(source, source_name)} to {dotted(destination, name)}"

    def work() -> Relation | None:
        row = look_up(warehouse, source, source_name, kind)
        if row is None:
            error = missing(kind, source, source_name)
            raise type(error)(f"{both}. {kind.capitalize()} does not exist")
        if not living(warehouse).filter(path=path_of(destination)).exists():
            raise NoSuchNamespace(f"{both}. Namespace does not exist: {dotted(destination)}")
        held = look_up(warehouse, destination, name)
        if held is not None:
            raise AlreadyExists(f"{both}. {held.kind.capitalize()} already exists")
        row.namespace, row.name = lock_namespace(warehouse, destination), name
        return _advance(row, action="rename", caller=caller, namespace=row.namespace, name=name)

    try:
        return write(lambda: _until_it_stands(work), caller=caller)
    except IntegrityError:
        raise AlreadyExists(f"{both}. {kind.capitalize()} already exists") from None


def drop(
    *, warehouse: Warehouse, levels: Sequence[str], name: str, kind: str = TABLE, purge_requested: bool = False,
    caller: Caller, action: str = "drop",
) -> Relation:  # fmt: skip
    """Take a table or view out of the catalog. Its files stay until it is certain that nobody undrops it.

    Raises
    ------
    NotGranted, NoSuchTable, NoSuchView
        Nothing was changed.
    """
    grants.require(caller=caller, warehouse=warehouse, levels=levels, privilege=grants.MANAGE)

    def work() -> Relation | None:
        row = look_up(warehouse, levels, name, kind)
        if row is None:
            raise missing(kind, levels, name)
        row.deleted_at, row.is_purge_requested = timezone.now(), purge_requested
        return _advance(
            row, action=action, caller=caller, deleted_at=row.deleted_at, is_purge_requested=purge_requested
        )

    return write(lambda: _until_it_stands(work), caller=caller)


def unregister(*, warehouse: Warehouse, levels: Sequence[str], name: str, caller: Caller) -> Relation:
    """Take a table out of the catalog so that another catalog can register it; what is returned is its last state."""
    return drop(warehouse=warehouse, levels=levels, name=name, caller=caller, action="unregister")


def undrop(*, relation_id: int, caller: Caller) -> Relation:
    """Bring a dropped table or view back under the name it had, and its namespace if that was dropped too.

    Raises
    ------
    NoSuchTable, NotGranted, AlreadyExists
        It was not dropped, or is gone for good; the caller may not; the name has been taken meanwhile.
    """
    found = Relation.objects.select_related("namespace__warehouse").filter(pk=relation_id).first()
    if found is None or found.deleted_at is None:
        raise NoSuchTable(f"There is no dropped table or view with the id {relation_id}.")
    warehouse, levels = found.namespace.warehouse, found.namespace.levels
    grants.require(caller=caller, warehouse=warehouse, levels=levels, privilege=grants.MANAGE)

    def work() -> Relation:
        row = Relation.objects.select_for_update().filter(pk=relation_id).exclude(deleted_at=None).first()
        if row is None:
            raise NoSuchTable(f"There is no dropped table or view with the id {relation_id}.")
        held = look_up(warehouse, levels, row.name)
        if held is not None:
            raise AlreadyExists(f"{held.kind.capitalize()} already exists: {dotted(levels, row.name)}")
        if living(warehouse).filter(path=found.namespace.path).exists():
            row.namespace = lock_namespace(warehouse, levels)
        else:
            Namespace.objects.filter(pk=found.namespace.pk).update(deleted_at=None)
            row.namespace = found.namespace
        row.deleted_at, row.is_purge_requested = None, False
        row.version += 1
        row.save(update_fields=["namespace", "deleted_at", "is_purge_requested", "version", "updated_at"])
        record(row, action="undrop", caller=caller)
        return row

    try:
        return write(work, caller=caller)
    except IntegrityError:
        raise AlreadyExists(f"The name or the metadata of {dotted(levels, found.name)} is in use again.") from None


def _advance(row: Relation, *, action: str, caller: Caller, **values: Any) -> Relation | None:
    """Write values to a row if it is still the one that was read, with the audit; None if it is not."""
    stood = Relation.objects.filter(pk=row.pk, version=row.version, deleted_at=None)
    row.version += 1
    if not stood.update(version=row.version, updated_at=timezone.now(), **values):
        return None
    record(row, action=action, caller=caller)
    return row


def _until_it_stands(work: Callable[[], Relation | None]) -> Relation:
    """Read and write again when a commit of somebody else came in between; a rename does not depend on it."""
    for _ in range(_MAX_TRIES):
        row = work()
        if row is not None:
            return row
    raise CommitFailed("The table kept changing. Try again.")
