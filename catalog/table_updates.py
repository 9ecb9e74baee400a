"""The updates of a commit, applied to a table's metadata.

References
----------
REST catalog specification, `TableUpdate`; the meaning of each is the reference implementation's
(`TableMetadata.Builder`), where it does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from catalog import definition_updates as definitions
from catalog import snapshot_updates as snapshots
from catalog.errors import BadCatalogRequest
from catalog.json_places import Place, check_json, wrong_type
from catalog.table_state import UPDATES, TableState

MAX_UPDATES: Final = 100_000
# Each of these is compared with all that the table has.
MAX_DEFINITIONS: Final = 1_000
_DEFINITIONS: Final = frozenset(
    {"add-schema", "add-spec", "add-sort-order", "remove-schemas", "remove-partition-specs", "add-view-version"}
)
PREVIOUS_VERSIONS: Final = "write.metadata.previous-versions-max"
DEFAULT_PREVIOUS_VERSIONS: Final = 100
TABLE_UPDATES: Final[dict[str, Callable[[TableState, Place], None]]] = {
    "assign-uuid": definitions.assign_uuid,
    "upgrade-format-version": definitions.upgrade_format_version,
    "add-schema": definitions.add_schema,
    "set-current-schema": definitions.set_current_schema,
    "remove-schemas": definitions.remove_schemas,
    "add-spec": definitions.add_spec,
    "set-default-spec": definitions.set_default_spec,
    "remove-partition-specs": definitions.remove_partition_specs,
    "add-sort-order": definitions.add_sort_order,
    "set-default-sort-order": definitions.set_default_sort_order,
    "add-snapshot": snapshots.add_snapshot,
    "set-snapshot-ref": snapshots.set_snapshot_ref,
    "remove-snapshots": snapshots.remove_snapshots,
    "remove-snapshot-ref": snapshots.remove_snapshot_ref,
    "set-location": definitions.set_location,
    "set-properties": definitions.set_properties,
    "remove-properties": definitions.remove_properties,
    "set-statistics": snapshots.set_statistics,
    "remove-statistics": snapshots.remove_statistics,
    "set-partition-statistics": snapshots.set_partition_statistics,
    "remove-partition-statistics": snapshots.remove_partition_statistics,
    "add-encryption-key": definitions.add_encryption_key,
    "remove-encryption-key": definitions.remove_encryption_key,
}


def read_updates(updates: object) -> list[Place]:
    """Return the updates of a commit, each an object of bounded depth that can be written again.

    Raises
    ------
    BadCatalogRequest
        They are no array, more than `MAX_UPDATES`, more than `MAX_DEFINITIONS` about schemas, specs and orders,
        or `check_json` refuses them.
    """
    if not isinstance(updates, list | tuple):
        raise wrong_type(UPDATES, updates, "an array")
    if len(updates) > MAX_UPDATES:
        detail = f"{len(updates)} updates are more than the {MAX_UPDATES} of one commit. Send several commits."
        raise BadCatalogRequest(detail, pointer=UPDATES)
    check_json(list(updates), UPDATES)
    places = [Place(one, f"{UPDATES}/{i}") for i, one in enumerate(updates)]
    definitions_count = sum(one.text("action") in _DEFINITIONS for one in places)
    if definitions_count > MAX_DEFINITIONS:
        detail = (
            f"{definitions_count} updates of schemas, specs and orders are more than the {MAX_DEFINITIONS} allowed."
        )
        raise BadCatalogRequest(detail, pointer=UPDATES)
    return places


def apply_updates(metadata: Mapping[str, Any], updates: Sequence[Mapping[str, Any]], *, now_ms: int) -> dict[str, Any]:
    """Return a table's metadata after the updates of a commit.

    Parameters
    ----------
    metadata
        What stands: written by this module or checked by `metadata_checks`; not changed, and shared in part with what
        is returned.
    updates
        Of the request; not changed. -1 as an id means what was added last.
    now_ms
        Milliseconds since 1970, UTC: when a snapshot that is not of this commit becomes the current one.

    Returns
    -------
    dict
        Equal to `metadata` when nothing changed. Fields unknown here are kept. `finish_metadata` does the rest.

    Raises
    ------
    CommitFailed
        A snapshot was overtaken: stale sequence number or first row id.
    BadCatalogRequest
        An update is not of the protocol, or the table does not allow it; the pointer names the place.

    Notes
    -----
    Linear in the number of snapshots and updates; nothing is copied deeply.
    """
    state = TableState(metadata, now_ms)
    for update in read_updates(updates):
        action = update.text("action")
        work = TABLE_UPDATES.get(action)
        if work is None:
            raise update.fault("action", f"Cannot apply to a table the update {action[:100]!r}.")
        work(state, update)
    if not state.schemas:
        raise BadCatalogRequest("Cannot create a table without a schema.", pointer=UPDATES)
    return state.finished()


def finish_metadata(
    old: Mapping[str, Any] | None, new: dict[str, Any], *, old_location: str | None, now_ms: int
) -> dict[str, Any]:
    """Return metadata as it is written: with the time, and with the file before it in the log.

    Parameters
    ----------
    old
        What stood before; None for a new table.
    new
        What is to be written; not changed.
    old_location
        The file of `old`; None when there is none.
    now_ms
        Milliseconds since 1970, UTC.

    Returns
    -------
    dict
        `last-updated-ms` never goes back and is not before the last entry of any log: the reference implementation
        would not load it. The log has as many entries as `write.metadata.previous-versions-max` says (at least one).
    """
    log = list(new.get("metadata-log") or ())
    if old is not None and old_location is not None:
        log.append({"timestamp-ms": old["last-updated-ms"], "metadata-file": old_location})
        log = log[-_previous_versions(new.get("properties") or {}) :]
    times = [now_ms, *(entries[-1]["timestamp-ms"] for entries in (log, new.get("snapshot-log")) if entries)]
    if old is not None:
        times.append(old["last-updated-ms"])
    return {**new, "last-updated-ms": max(times), "metadata-log": log}


def _previous_versions(properties: Mapping[str, str]) -> int:
    text = properties.get(PREVIOUS_VERSIONS, "")
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return max(1, int(text))
    return DEFAULT_PREVIOUS_VERSIONS
