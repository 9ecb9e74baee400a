"""What a table's metadata says, whichever of the spellings of format versions 1 to 3 it uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from catalog.partitioning import FIRST_PARTITION_ID, UNSORTED

MAIN: Final = "main"
NO_SNAPSHOT: Final = -1
SUPPORTED_FORMAT_VERSION: Final = 3
ROW_LINEAGE_VERSION: Final = 3
# What says the state of a table rather than a wish of its owner; never stored among the properties.
RESERVED_PROPERTIES: Final = frozenset(
    {
        "format-version",
        "uuid",
        "snapshot-count",
        "current-snapshot-summary",
        "current-snapshot-id",
        "current-snapshot-timestamp-ms",
        "current-schema",
        "default-partition-spec",
        "default-sort-order",
    }
)


def current_snapshot_id(metadata: Mapping[str, Any]) -> int | None:
    """Return the id of the current snapshot, None when there is none (absent, null or -1)."""
    found = metadata.get("current-snapshot-id")
    return None if found is None or found == NO_SNAPSHOT else int(found)


def refs_of(metadata: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return branches and tags. Metadata from before there were any has `main` at the current snapshot."""
    refs = metadata.get("refs")
    if refs is not None:
        return dict(refs)
    current = current_snapshot_id(metadata)
    return {} if current is None else {MAIN: {"snapshot-id": current, "type": "branch"}}


def schemas_of(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all schemas; old metadata of v1 has but one, without an id."""
    schemas = metadata.get("schemas")
    if schemas is not None:
        return list(schemas)
    only = metadata.get("schema")
    return [] if only is None else [{"schema-id": 0, **only}]


def specs_of(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all partition specs; old metadata of v1 has but the fields of one, without ids."""
    specs = metadata.get("partition-specs")
    if specs is not None:
        return list(specs)
    fields = metadata.get("partition-spec")
    if fields is None:
        return []
    numbered = [{"field-id": FIRST_PARTITION_ID + i, **one} for i, one in enumerate(fields)]
    return [{"spec-id": 0, "fields": numbered}]


def sort_orders_of(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all sort orders; old metadata of v1 has none, which is the unsorted one."""
    orders = metadata.get("sort-orders")
    return [UNSORTED] if orders is None else list(orders)


def current_schema(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the current schema; an empty one when there is none yet."""
    wanted = metadata.get("current-schema-id", 0)
    return next((one for one in schemas_of(metadata) if one["schema-id"] == wanted), {"type": "struct", "fields": []})


def last_partition_id(metadata: Mapping[str, Any]) -> int:
    """Return the highest partition field id ever given, 999 when there is none."""
    found = metadata.get("last-partition-id")
    if found is not None:
        return int(found)
    ids = (one["field-id"] for spec in specs_of(metadata) for one in spec["fields"])
    return max(ids, default=FIRST_PARTITION_ID - 1)


def with_single_parts(metadata: dict[str, Any]) -> None:
    """Bring `schema` and `partition-spec`, which readers of v1 want, in line with the lists; in place.

    Later versions do not have them.
    """
    if metadata["format-version"] > 1:
        metadata.pop("schema", None)
        metadata.pop("partition-spec", None)
        return
    metadata["schema"] = current_schema(metadata)
    default = metadata.get("default-spec-id", 0)
    spec = next((one for one in specs_of(metadata) if one["spec-id"] == default), None)
    metadata["partition-spec"] = [] if spec is None else spec["fields"]
