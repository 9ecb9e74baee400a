"""Updates that say what a table is: its schemas, specs, orders, location, properties, keys.

References
----------
REST catalog specification, `TableUpdate`; Apache Iceberg table specification, "Table Metadata".
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from catalog.json_places import INT32_MAX, Place
from catalog.partitioning import (
    FIRST_PARTITION_ID,
    UNSORTED,
    check_names,
    check_sequential,
    check_sources,
    numbered_fields,
    read_order_fields,
    read_spec_fields,
)
from catalog.schemas import SchemaIndex, check_version, index_schema, without_nulls
from catalog.table_metadata import format_version_property
from catalog.table_parts import RESERVED_PROPERTIES, ROW_LINEAGE_VERSION, SUPPORTED_FORMAT_VERSION
from catalog.table_state import TableState

LAST_ADDED: Final = -1


def assign_uuid(state: TableState, update: Place) -> None:
    """A table gets its uuid once, when it is made."""
    try:
        wanted = str(uuid.UUID(update.text("uuid")))
    except ValueError:
        raise update.fault("uuid", f"{update.at('uuid')}: This is no UUID.") from None
    if state.uuid is not None and wanted == state.uuid.lower():
        return
    if state.uuid is not None and not state.is_new:
        raise update.fault("uuid", f"Cannot reassign uuid: {state.uuid} to {wanted}")
    state.uuid = wanted
    state.touched.add("table-uuid")


def upgrade_format_version(state: TableState, update: Place) -> None:
    """Versions only grow."""
    _upgrade(state, update, "format-version", update.integer("format-version", 0, INT32_MAX))


def _upgrade(state: TableState, place: Place, name: str, version: int) -> None:
    if version > SUPPORTED_FORMAT_VERSION:
        detail = (
            f"Cannot upgrade table to unsupported format version: v{version} (supported: v{SUPPORTED_FORMAT_VERSION})"
        )
        raise place.fault(name, detail)
    if version < state.format_version:
        raise place.fault(name, f"Cannot downgrade v{state.format_version} table to v{version}")
    if version == state.format_version:
        return
    if state.format_version == 1:
        state.touched |= {"last-sequence-number", "schemas", "partition-specs", "sort-orders"}
    if version >= ROW_LINEAGE_VERSION > state.format_version:
        state.touched |= {"next-row-id", "current-snapshot-id"}
    state.format_version = version
    state.touched.add("format-version")


def add_schema(state: TableState, update: Place) -> None:
    """Add a schema, or find it again; its own id does not count."""
    place = update.place("schema")
    index = index_schema(place.value, place.pointer)
    check_version(index, state.format_version, place.pointer)
    known_id = state.find("schemas", place.value)
    if known_id is not None:
        state.last_added["schemas"] = known_id
        return
    schema_id = max((state.current_schema_id - 1, *state.schemas)) + 1 if state.schemas else state.current_schema_id
    schema: dict[str, Any] = {"type": "struct", **without_nulls(dict(place.value)), "schema-id": schema_id}
    state.add("schemas", schema_id, schema)
    state.last_column_id = max(state.last_column_id, index.highest_id)
    state.touched.add("last-column-id")


def set_current_schema(state: TableState, update: Place) -> None:
    """Make a schema the current one."""
    schema_id = update.integer("schema-id", LAST_ADDED, INT32_MAX)
    if schema_id == LAST_ADDED:
        if "schemas" not in state.last_added:
            raise update.fault("schema-id", "Cannot set last added schema: no schema has been added")
        schema_id = state.last_added["schemas"]
    if schema_id not in state.schemas:
        raise update.fault("schema-id", f"Cannot set current schema to unknown schema: {schema_id}")
    if schema_id != state.current_schema_id:
        state.current_schema_id = schema_id
        state.touched.add("current-schema-id")


def remove_schemas(state: TableState, update: Place) -> None:
    """Forget schemas; the current one stays."""
    gone = set(update.integers("schema-ids", 0, INT32_MAX))
    if state.current_schema_id in gone:
        raise update.fault("schema-ids", "Cannot remove the current schema")
    for schema_id in gone & set(state.schemas):
        state.remove("schemas", schema_id)
        state.removed_schemas.add(schema_id)


def _index_for(state: TableState, update: Place) -> list[SchemaIndex]:
    # DuckDB adds a spec before it makes the schema it has just added the current one.
    ids = [state.last_added.get("schemas"), state.current_schema_id]
    found = [state.index_of(one) for one in dict.fromkeys(ids) if one is not None and one in state.schemas]
    if not found:
        raise update.fault("", "Cannot bind to a schema: no schema has been added")
    return found


def _bound(state: TableState, update: Place, fields: list[Place], what: str) -> SchemaIndex:
    """Return the schema that the fields belong to: the one added last if they can be of it, else the current one."""
    candidates = _index_for(state, update)
    for index in candidates:
        sources = (one.value.get("source-id") for one in fields)
        if all(source is None or source in index.by_id for source in sources):
            check_sources(fields, index, what)
            return index
    check_sources(fields, candidates[0], what)
    return candidates[0]


def add_spec(state: TableState, update: Place) -> None:
    """Add a partition spec, or find it again; its own id does not count."""
    place = update.place("spec")
    fields = read_spec_fields(place.value, place.pointer)
    known_id = state.find("specs", {"fields": [one.value for one in fields]})
    if known_id is not None:
        state.last_added["specs"] = known_id
        return
    check_names(fields, _bound(state, update, fields, "partition"))
    is_v1 = state.format_version == 1
    numbered = numbered_fields(fields, state.partition_ids(), state.last_partition_id, is_sequential=is_v1)
    if is_v1:
        check_sequential(numbered, place.pointer)
    spec_id = max(state.specs, default=-1) + 1
    state.add("specs", spec_id, {**without_nulls(dict(place.value)), "spec-id": spec_id, "fields": numbered})
    highest = max((one["field-id"] for one in numbered), default=FIRST_PARTITION_ID - 1)
    state.last_partition_id = max(state.last_partition_id, highest)
    state.touched.add("last-partition-id")


def set_default_spec(state: TableState, update: Place) -> None:
    """Make a partition spec the default one."""
    spec_id = update.integer("spec-id", LAST_ADDED, INT32_MAX)
    if spec_id == LAST_ADDED:
        if "specs" not in state.last_added:
            raise update.fault("spec-id", "Cannot set last added spec: no spec has been added")
        spec_id = state.last_added["specs"]
    if spec_id not in state.specs:
        raise update.fault("spec-id", f"Cannot set default partition spec to unknown spec: {spec_id}")
    if spec_id != state.default_spec_id:
        state.default_spec_id = spec_id
        state.touched.add("default-spec-id")


def remove_partition_specs(state: TableState, update: Place) -> None:
    """Forget partition specs; the default one stays."""
    gone = set(update.integers("spec-ids", 0, INT32_MAX))
    if state.default_spec_id in gone:
        raise update.fault("spec-ids", "Cannot remove the default partition spec")
    for spec_id in gone & set(state.specs):
        state.remove("specs", spec_id)


def add_sort_order(state: TableState, update: Place) -> None:
    """Add a sort order, or find it again; its own id does not count, and 0 is the unsorted one."""
    place = update.place("sort-order")
    fields = read_order_fields(place.value, place.pointer)
    if not fields:
        if 0 not in state.orders:
            state.orders[0] = dict(UNSORTED)
            state.touched.add("sort-orders")
        state.last_added["orders"] = 0
        return
    known_id = state.find("orders", {"fields": [one.value for one in fields]})
    if known_id is not None:
        state.last_added["orders"] = known_id
        return
    _bound(state, update, fields, "sort")
    order_id = max(state.orders, default=0) + 1
    state.add("orders", order_id, {**without_nulls(dict(place.value)), "order-id": order_id})


def set_default_sort_order(state: TableState, update: Place) -> None:
    """Make a sort order the default one."""
    order_id = update.integer("sort-order-id", LAST_ADDED, INT32_MAX)
    if order_id == LAST_ADDED:
        if "orders" not in state.last_added:
            raise update.fault("sort-order-id", "Cannot set last added sort order: no sort order has been added")
        order_id = state.last_added["orders"]
    if order_id not in state.orders:
        raise update.fault("sort-order-id", f"Cannot set default sort order to unknown sort order: {order_id}")
    if order_id != state.default_order_id:
        state.default_order_id = order_id
        state.touched.add("default-sort-order-id")


def set_location(state: TableState, update: Place) -> None:
    """Move what is written from now on; whoever commits must confine it."""
    location = update.text("location").rstrip("/")
    if not location:
        raise update.fault("location", f"{update.at('location')}: This is no location.")
    if location != state.location:
        state.location = location
        state.touched.add("location")


def set_properties(state: TableState, update: Place) -> None:
    """Set properties. `format-version` is a wish for an upgrade; the other reserved ones are dropped."""
    update.place("updates")
    for name, text in update.properties("updates").items():
        if name == "format-version":
            inner = update.place("updates")
            _upgrade(state, inner, name, format_version_property(text, inner.at(name)))
        elif name not in RESERVED_PROPERTIES and state.properties.get(name) != text:
            state.properties[name] = text
            state.touched.add("properties")


def remove_properties(state: TableState, update: Place) -> None:
    """Forget properties."""
    for name in update.texts("removals"):
        if state.properties.pop(name, None) is not None:
            state.touched.add("properties")


def add_encryption_key(state: TableState, update: Place) -> None:
    """Add a key of an encrypted table; one with the same id stays as it is."""
    place = update.place("encryption-key")
    key_id = place.text("key-id")
    place.text("encrypted-key-metadata")
    place.optional_text("encrypted-by-id")
    place.properties("properties")
    if state.format_version < ROW_LINEAGE_VERSION:
        raise update.fault(
            "encryption-key", f"Encryption keys are not supported until v3; this is v{state.format_version}"
        )
    if key_id not in state.keys:
        state.keys[key_id] = without_nulls(dict(place.value))
        state.touched.add("encryption-keys")


def remove_encryption_key(state: TableState, update: Place) -> None:
    """Forget a key."""
    if state.keys.pop(update.text("key-id"), None) is not None:
        state.touched.add("encryption-keys")
