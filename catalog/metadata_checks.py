"""Metadata that somebody else wrote: checked before a table is registered with it.

References
----------
Apache Iceberg table specification, "Table Metadata Fields".
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from catalog.errors import BadCatalogRequest
from catalog.json_places import INT32_MAX, Place, check_json
from catalog.schemas import MAX_FIELD_ID, index_schema
from catalog.snapshot_checks import check_snapshots
from catalog.table_parts import SUPPORTED_FORMAT_VERSION, schemas_of, sort_orders_of, specs_of

MAX_ENTRIES: Final = 1_000_000
# Where writers put files, if a table's owner says so.
LOCATION_PROPERTIES: Final = (
    "write.data.path",
    "write.metadata.path",
    "write.object-storage.path",
    "write.folder-storage.path",
)


def check_table_metadata(metadata: object) -> dict[str, Any]:
    """Check metadata of a table as it was read from a file.

    Parameters
    ----------
    metadata
        What a JSON parser returned; not changed.

    Returns
    -------
    dict
        The same, in which everything that this app reads is there and of its type, and every id that one part names
        is in another. Fields unknown here are kept.

    Raises
    ------
    BadCatalogRequest
        Naming the place of what is wrong.

    Notes
    -----
    Linear. Locations are not confined here: `locations_of` lists them.
    """
    place = Place(metadata, "")
    check_json(dict(place.value), "")
    place = Place({name: value for name, value in place.value.items() if value is not None}, "")
    version = place.integer("format-version", 1, INT32_MAX)
    if version > SUPPORTED_FORMAT_VERSION:
        detail = f"Cannot read unsupported version {version} (supported: v{SUPPORTED_FORMAT_VERSION})"
        raise place.fault("format-version", detail)
    _check_uuid(place, is_required=version > 1)
    if not place.text("location").rstrip("/"):
        raise place.fault("location", "/location: This is no location.")
    place.integer("last-updated-ms", 0)
    place.integer("last-column-id", 0, MAX_FIELD_ID)
    place.properties("properties")
    _check_definitions(place, version)
    check_snapshots(place, version)
    _check_metadata_log(place)
    for key in place.places("encryption-keys"):
        key.text("key-id")
        key.text("encrypted-key-metadata")
    return dict(place.value)


def _check_uuid(place: Place, *, is_required: bool) -> None:
    if not is_required and not place.has("table-uuid"):
        return
    try:
        uuid.UUID(place.text("table-uuid"))
    except ValueError:
        raise place.fault("table-uuid", "/table-uuid: This is no UUID.") from None


def _check_definitions(place: Place, version: int) -> None:
    # Metadata of v1 may have but the one schema and spec that readers of v1 go by, and no order.
    may_be_single = version == 1
    for name, single in (("schemas", "schema"), ("partition-specs", "partition-spec"), ("sort-orders", "")):
        if place.has(name) or not may_be_single:
            place.items(name)
        elif single:
            place.required(single, f"{name} or {single}")
    for name in ("current-schema-id", "default-spec-id", "default-sort-order-id", "last-partition-id"):
        if place.has(name) or not may_be_single:
            place.integer(name, 0, INT32_MAX)
    if place.has("schema"):
        index_schema(place.value["schema"], "/schema")
    _check_schemas(place)
    _check_specs(place)
    _check_orders(place)


def _check_schemas(place: Place) -> None:
    ids = []
    for i, one in enumerate(schemas_of(place.value)):
        pointer = f"/schemas/{i}" if place.has("schemas") else "/schema"
        index = index_schema(one, pointer)
        ids.append(Place(one, pointer).integer("schema-id", 0, INT32_MAX))
        if index.highest_id > place.integer("last-column-id"):
            detail = f"Invalid last column ID: {place.integer('last-column-id')} < {index.highest_id} (in a schema)"
            raise BadCatalogRequest(detail, pointer="/last-column-id")
    _check_known(
        place, "current-schema-id", ids, "/schemas", "Cannot find schema with current-schema-id={} from schemas"
    )


def _check_specs(place: Place) -> None:
    ids = []
    for i, one in enumerate(_specs(place)):
        spec = Place(one, f"/partition-specs/{i}")
        ids.append(spec.integer("spec-id", 0, INT32_MAX))
        spec.items("fields")
        for field in spec.places("fields"):
            _check_source(field)
            field.text("name")
            field.integer("field-id", 0, INT32_MAX)
    _check_known(
        place, "default-spec-id", ids, "/partition-specs", "Cannot find partition spec with default-spec-id={}"
    )


def _specs(place: Place) -> list[dict[str, Any]]:
    if not place.has("partition-specs"):
        place.places("partition-spec")  # Each is an object.
    return specs_of(place.value)


def _check_orders(place: Place) -> None:
    ids = []
    for i, one in enumerate(sort_orders_of(place.value)):
        order = Place(one, f"/sort-orders/{i}")
        ids.append(order.integer("order-id", 0, INT32_MAX))
        order.items("fields")
        for field in order.places("fields"):
            _check_source(field)
            field.text("direction")
            field.text("null-order")
    _check_known(
        place, "default-sort-order-id", ids, "/sort-orders", "Cannot find sort order with default-sort-order-id={}"
    )


def _check_source(field: Place) -> None:
    # A transform may be one of a later specification: such a field is kept.
    field.text("transform")
    if field.has("source-ids") and not field.has("source-id"):
        field.integers("source-ids", 0, INT32_MAX)
    else:
        field.integer("source-id", 0, INT32_MAX)


def _check_known(place: Place, name: str, ids: Sequence[int], pointer: str, wording: str) -> None:
    if len(set(ids)) != len(ids):
        raise BadCatalogRequest(f"{pointer}: An id stands twice.", pointer=pointer)
    wanted = place.optional_integer(name, 0, INT32_MAX) or 0
    if wanted not in ids:
        raise place.fault(name, wording.format(wanted))


def _check_metadata_log(place: Place) -> None:
    for entry in place.places("metadata-log"):
        entry.integer("timestamp-ms", 0)
        entry.text("metadata-file")


def locations_of(metadata: Mapping[str, Any]) -> list[str]:
    """Return every location in a table's or view's metadata; each must be confined before anything reads or writes it.

    Parameters
    ----------
    metadata
        Checked, or written by this app; not changed.

    Returns
    -------
    list of str
        As they are written, each once: of the table, of writers (properties), of manifest lists (in v1 also of
        manifests), of statistics, of metadata files before.
    """
    properties = metadata.get("properties") or {}
    found = [metadata.get("location"), *(properties.get(name) for name in LOCATION_PROPERTIES)]
    for snapshot in metadata.get("snapshots") or ():
        found.append(snapshot.get("manifest-list"))
        found += snapshot.get("manifests") or ()
    for name in ("statistics", "partition-statistics"):
        found += [one["statistics-path"] for one in metadata.get(name) or ()]
    found += [one["metadata-file"] for one in metadata.get("metadata-log") or ()]
    return list(dict.fromkeys(one for one in found if one is not None))
