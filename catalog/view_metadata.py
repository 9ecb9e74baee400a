"""The metadata of views: new, updated, checked.

References
----------
Apache Iceberg view specification; REST catalog specification, `CreateViewRequest` and `ViewUpdate`. The meaning of each
update is the reference implementation's (`ViewMetadata.Builder`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from catalog.json_places import INT32_MAX, Place, check_json
from catalog.schemas import index_schema
from catalog.table_updates import read_updates
from catalog.view_state import LAST_ADDED, ViewState, read_version

FORMAT_VERSION: Final = 1


def new_view_metadata(request: Mapping[str, Any], *, view_uuid: str, location: str, now_ms: int) -> dict[str, Any]:
    """Return the first metadata of a view that a client asks for.

    Parameters
    ----------
    request
        A `CreateViewRequest`: `schema`, `view-version`, and perhaps `properties`; not changed. Its location is not
        looked at.
    view_uuid, location
        What the server has decided on.
    now_ms
        Milliseconds since 1970, UTC.

    Raises
    ------
    BadCatalogRequest
        Naming the place of what is wrong.
    """
    body = Place(request, "")
    check_json(dict(body.value), "")
    state = ViewState(
        {"view-uuid": view_uuid, "format-version": FORMAT_VERSION, "location": location.rstrip("/")}, now_ms
    )
    state.properties = body.properties("properties")
    state.add_schema(body.place("schema"))
    version = read_version(body.place("view-version")) | {"version-id": 1, "schema-id": LAST_ADDED}
    state.add_version(version, body.at("view-version"))
    state.set_current(LAST_ADDED, body.at("view-version"))
    return state.finished()


def apply_view_updates(
    metadata: Mapping[str, Any], updates: Sequence[Mapping[str, Any]], *, now_ms: int
) -> dict[str, Any]:
    """Return a view's metadata after the updates of a commit.

    Parameters
    ----------
    metadata
        What stands: written by this module or checked by `check_view_metadata`; not changed.
    updates
        Of the request; not changed. -1 as an id means what was added last.
    now_ms
        Milliseconds since 1970, UTC: when a version that is not of this commit becomes the current one.

    Returns
    -------
    dict
        Equal to `metadata` when nothing changed. As many versions are kept as `version.history.num-entries` says
        (10), and all those of this commit. Fields unknown here are kept.

    Raises
    ------
    BadCatalogRequest
        An update is not of the protocol, or the view does not allow it; the pointer names the place.
    """
    state = ViewState(metadata, now_ms)
    for update in read_updates(updates):
        action = update.text("action")
        work = VIEW_UPDATES.get(action)
        if work is None:
            raise update.fault("action", f"Cannot apply to a view the update {action[:100]!r}.")
        work(state, update)
    return state.finished()


def check_view_metadata(metadata: object) -> dict[str, Any]:
    """Check metadata of a view as it was read from a file; as `metadata_checks.check_table_metadata`."""
    place = Place(metadata, "")
    check_json(dict(place.value), "")
    place = Place({name: value for name, value in place.value.items() if value is not None}, "")
    if place.integer("format-version", 1, INT32_MAX) > FORMAT_VERSION:
        raise place.fault("format-version", f"Unsupported format version: {place.integer('format-version')}")
    _uuid(place, "view-uuid")
    _location(place)
    place.properties("properties")
    schema_ids = []
    for schema in place.places("schemas"):
        index_schema(schema.value, schema.pointer)
        schema_ids.append(schema.integer("schema-id", 0, INT32_MAX))
    version_ids = []
    for version in place.places("versions"):
        read_version(version)
        version_ids.append(version.integer("version-id", 0, INT32_MAX))
        if version.integer("schema-id", 0, INT32_MAX) not in schema_ids:
            raise version.fault("schema-id", f"Cannot find schema with id {version.integer('schema-id')}")
    for name, ids in (("schemas", schema_ids), ("versions", version_ids)):
        if len(set(ids)) != len(ids):
            raise place.fault(name, f"/{name}: An id stands twice.")
    if place.integer("current-version-id", 0, INT32_MAX) not in version_ids:
        wanted = place.integer("current-version-id")
        raise place.fault(
            "current-version-id", f"Cannot find current version {wanted} in view versions: {version_ids[:20]}"
        )
    for entry in place.places("version-log"):
        entry.integer("timestamp-ms", 0)
        entry.integer("version-id", 0, INT32_MAX)
    return dict(place.value)


def _uuid(place: Place, name: str) -> str:
    try:
        return str(uuid.UUID(place.text(name)))
    except ValueError:
        raise place.fault(name, f"{place.at(name)}: This is no UUID.") from None


def _location(place: Place) -> str:
    location = place.text("location").rstrip("/")
    if not location:
        raise place.fault("location", f"{place.at('location')}: This is no location.")
    return location


def _assign_uuid(state: ViewState, update: Place) -> None:
    if _uuid(update, "uuid") != state.uuid.lower():
        raise update.fault("uuid", "Cannot reassign uuid")


def _upgrade_format_version(_: ViewState, update: Place) -> None:
    version = update.integer("format-version", 0, INT32_MAX)
    if version < FORMAT_VERSION:
        raise update.fault("format-version", f"Cannot downgrade v{FORMAT_VERSION} view to v{version}")
    if version > FORMAT_VERSION:
        raise update.fault("format-version", f"Unsupported format version: {version}")


def _add_schema(state: ViewState, update: Place) -> None:
    state.add_schema(update.place("schema"))


def _add_view_version(state: ViewState, update: Place) -> None:
    place = update.place("view-version")
    version = read_version(place)
    place.integer("version-id", 0, INT32_MAX)
    place.integer("schema-id", LAST_ADDED, INT32_MAX)
    state.add_version(version, place.pointer)


def _set_current_view_version(state: ViewState, update: Place) -> None:
    name = "view-version-id"
    state.set_current(update.integer(name, LAST_ADDED, INT32_MAX), update.at(name))


def _set_location(state: ViewState, update: Place) -> None:
    state.location = _location(update)


def _set_properties(state: ViewState, update: Place) -> None:
    update.place("updates")
    state.properties |= update.properties("updates")


def _remove_properties(state: ViewState, update: Place) -> None:
    for name in update.texts("removals"):
        state.properties.pop(name, None)


VIEW_UPDATES: Final[dict[str, Callable[[ViewState, Place], None]]] = {
    "assign-uuid": _assign_uuid,
    "upgrade-format-version": _upgrade_format_version,
    "add-schema": _add_schema,
    "add-view-version": _add_view_version,
    "set-current-view-version": _set_current_view_version,
    "set-location": _set_location,
    "set-properties": _set_properties,
    "remove-properties": _remove_properties,
}
