"""Tables and views that come with a metadata file of their own, written by another catalog or before a drop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from catalog import grants
from catalog.callers import Caller
from catalog.errors import AlreadyExists, BadCatalogRequest, NoSuchNamespace
from catalog.metadata_checks import check_table_metadata
from catalog.models import Relation, Warehouse
from catalog.names import check_name, dotted, path_of
from catalog.namespaces import living
from catalog.new_snapshots import check_new_places
from catalog.relation_writes import TABLE, Change, Overtaken, store, the_only
from catalog.relations import look_up, taken
from catalog.view_metadata import check_view_metadata
from catalog.warehouse_files import check_inside, read_file

# The index over locations of Postgres takes no more.
MAX_LOCATION_BYTES = 2000


def register(
    *, warehouse: Warehouse, levels: Sequence[str], name: str, metadata_location: str, overwrite: bool = False,
    kind: str = TABLE, caller: Caller,
) -> Relation:  # fmt: skip
    """Take a metadata file in the warehouse as a table or view. The file stays as it is.

    Parameters
    ----------
    overwrite
        Let a table of this name that there is go on from this file.

    Notes
    -----
    Where grants bind the caller, the table's place must be nobody else's, not even that of a dropped table: its old
    metadata would show, and let the caller change, what it may not.

    Raises
    ------
    NotGranted, NoSuchNamespace, AlreadyExists
        The caller may not; there is no such namespace; the name or the file is in use.
    BadCatalogRequest, OutsideWarehouse
        The file cannot be read, is damaged, or names something that lies elsewhere.
    """
    check_name(name, what=f"{kind} name")
    privilege = grants.MANAGE if overwrite else grants.WRITE
    grants.require(caller=caller, warehouse=warehouse, levels=levels, privilege=privilege)
    namespace = living(warehouse).filter(path=path_of(levels)).first()
    if namespace is None:
        raise NoSuchNamespace(f"Namespace does not exist: {dotted(levels)}")
    standing = look_up(warehouse, levels, name)
    if standing is not None and (not overwrite or standing.kind != kind):
        raise taken(warehouse, levels, name, kind)
    location = _checked_location(warehouse, metadata_location)
    metadata = _read_metadata(warehouse, location, kind, caller)
    change = Change(
        namespace, name, kind, standing, metadata, "register", metadata_location=location,
        is_place_chosen=grants.binds(caller=caller, warehouse=warehouse),
    )  # fmt: skip
    try:
        return store([change], warehouse=warehouse, caller=caller, result=the_only)[0]
    except Overtaken:
        if look_up(warehouse, levels, name) is not None:
            raise taken(warehouse, levels, name, kind) from None
        raise AlreadyExists(f"Another table is registered with the metadata file {location}") from None


def _checked_location(warehouse: Warehouse, location: object) -> str:
    if not isinstance(location, str) or not location:
        raise BadCatalogRequest("Invalid metadata location: null or empty", pointer="/metadata-location")
    if len(location.encode("utf-8", "replace")) > MAX_LOCATION_BYTES:
        raise BadCatalogRequest(
            f"Invalid metadata location: it has over {MAX_LOCATION_BYTES} bytes.", pointer="/metadata-location"
        )
    return check_inside(warehouse, location)


def _read_metadata(warehouse: Warehouse, location: str, kind: str, caller: Caller) -> dict[str, Any]:
    try:
        found = orjson.loads(read_file(warehouse, location))
    except orjson.JSONDecodeError as error:
        raise BadCatalogRequest(f"Invalid metadata: {location} is no JSON: {error}.") from None
    metadata = check_table_metadata(found) if kind == TABLE else check_view_metadata(found)
    own_folders = [check_inside(warehouse, metadata["location"])]
    check_new_places(warehouse=warehouse, metadata=metadata, before=None, own_folders=own_folders, caller=caller)
    return metadata
