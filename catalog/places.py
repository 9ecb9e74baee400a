"""Where a table's files lie: places of our choice, and those that a client has chosen."""

from __future__ import annotations

import re
import uuid

from catalog.errors import BadCatalogRequest
from catalog.models import Namespace, Relation, Warehouse
from catalog.names import slug
from catalog.warehouse_files import check_inside

_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def own_place(namespace: Namespace, name: str, table_uuid: str) -> str:
    """Return a place nobody else has; it does not depend on the name, so that renaming leaves the files alone."""
    return f"{namespace.location}/{slug(name)}-{uuid.UUID(table_uuid)}"


def wanted_place(warehouse: Warehouse, location: object) -> str | None:
    """Return the place that a client asks for, normalised; None if it leaves the choice to us.

    Some clients send relative locations, which mean nothing here: those are left aside.

    Raises
    ------
    BadCatalogRequest, OutsideWarehouse
        It is no text; it lies elsewhere.
    """
    if location is None or location == "":
        return None
    if not isinstance(location, str):
        raise BadCatalogRequest("Invalid location: it must be a text.", pointer="/location")
    if _HAS_SCHEME.match(location) is None and not location.startswith("/"):
        return None
    return check_inside(warehouse, location.rstrip("/"))


def require_free_place(warehouse: Warehouse, location: str, *, other_than: int | None) -> None:
    """Refuse a place that holds, or lies in, that of another table or view, dropped ones included.

    In the transaction that takes it: the warehouse is locked, so that no two callers find the same place free.

    Raises
    ------
    BadCatalogRequest
        It overlaps.
    """
    Warehouse.objects.select_for_update().get(pk=warehouse.pk)
    above = _ancestors(location, warehouse.root)
    places = Relation.objects.filter(namespace__warehouse=warehouse)
    if other_than is not None:
        places = places.exclude(pk=other_than)
    spaces = Namespace.objects.filter(warehouse=warehouse)
    # SQLite's LIKE takes no notice of case, so what it finds is looked at again.
    below = [
        *places.filter(location__startswith=location + "/").values_list("location", flat=True)[:1000],
        *spaces.filter(location__startswith=location + "/").values_list("location", flat=True)[:1000],
    ]
    is_taken = (
        location == warehouse.root
        or places.filter(location__in=[location, *above]).exists()
        or spaces.filter(location=location).exists()
        or any(found.startswith(location + "/") for found in below)
    )
    if is_taken:
        raise BadCatalogRequest(
            f"Invalid location: {location} overlaps the place of another table. Leave the location out: one is chosen."
        )


def _ancestors(location: str, root: str) -> list[str]:
    found = []
    while (location := location.rpartition("/")[0]).startswith(root) and location != root:
        found.append(location)
    return found
