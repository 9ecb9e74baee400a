"""Who may do what in which namespace. Once a warehouse has a grant, only what is granted is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from catalog.callers import Caller
from catalog.errors import NotGranted
from catalog.models import Grant, Namespace, Warehouse
from catalog.names import SEPARATOR, dotted, path_of

READ: Final = Grant.Privilege.READ.value
WRITE: Final = Grant.Privilege.WRITE.value
MANAGE: Final = Grant.Privilege.MANAGE.value
_ORDER = (READ, WRITE, MANAGE)  # each includes those before it
EVERYBODY = "*"


def require(*, caller: Caller, warehouse: Warehouse, levels: Sequence[str], privilege: str) -> None:
    """Raise NotGranted unless the caller may do this in the namespace; a grant reaches down to all namespaces below."""
    held = _privileges_by_path(caller, warehouse)
    if held is not None and not _covers(held, levels, privilege):
        where = dotted(levels) or f"the warehouse {warehouse.name}"
        raise NotGranted(f"Forbidden: {caller.principal or 'this caller'} may not {privilege} in {where}.")


def require_way(*, caller: Caller, warehouse: Warehouse, levels: Sequence[str]) -> None:
    """Raise NotGranted unless the caller may read the namespace, or one below it, to which it is on the way."""
    held = _privileges_by_path(caller, warehouse)
    if held is not None and not _leads(held, levels):
        require(caller=caller, warehouse=warehouse, levels=levels, privilege=READ)


def binds(*, caller: Caller, warehouse: Warehouse) -> bool:
    """Return whether grants decide what the caller may do: the warehouse has some, and it is no admin."""
    return _privileges_by_path(caller, warehouse) is not None


def visible(*, caller: Caller, warehouse: Warehouse, namespaces: Iterable[Namespace]) -> list[Namespace]:
    """Return those of the namespaces that the caller may read."""
    held = _privileges_by_path(caller, warehouse)
    return [found for found in namespaces if held is None or _covers(held, found.levels, READ)]


def on_the_way(*, caller: Caller, warehouse: Warehouse, namespaces: Iterable[Namespace]) -> list[Namespace]:
    """Return those that the caller may read, and those above them: engines browse from the top."""
    held = _privileges_by_path(caller, warehouse)
    return [
        found for found in namespaces if held is None or _covers(held, found.levels, READ) or _leads(held, found.levels)
    ]


def _privileges_by_path(caller: Caller, warehouse: Warehouse) -> dict[str, int] | None:
    """Return the highest privilege for each path; None where grants do not bind the caller."""
    if caller.is_admin:
        return None
    rows = list(Grant.objects.filter(warehouse=warehouse).values_list("principal", "path", "privilege"))
    if not rows:
        return None
    held: dict[str, int] = {}
    for principal, path, privilege in rows:
        if principal in (caller.principal, EVERYBODY):
            held[path] = max(held.get(path, 0), _ORDER.index(privilege))
    return held


def _covers(held: dict[str, int], levels: Sequence[str], privilege: str) -> bool:
    wanted = _ORDER.index(privilege)
    return any(held.get(path_of(levels[:depth]), -1) >= wanted for depth in range(len(levels) + 1))


def _leads(held: dict[str, int], levels: Sequence[str]) -> bool:
    above = path_of(levels) + SEPARATOR
    return any(path.startswith(above) for path in held)
