"""Updates that say what a table holds: snapshots, branches and tags, statistics.

References
----------
REST catalog specification, `TableUpdate`; Apache Iceberg table specification, "Snapshots", "Snapshot Retention Policy",
"Row Lineage", "Table Statistics", "Partition Statistics".
"""

from __future__ import annotations

from typing import Any, Final

from catalog.errors import CommitFailed
from catalog.json_places import INT32_MAX, INT64_MAX, Place
from catalog.schemas import without_nulls
from catalog.table_parts import MAIN, ROW_LINEAGE_VERSION
from catalog.table_state import TableState

OPERATIONS: Final = ("append", "replace", "overwrite", "delete")
# The end of the year 9999: engines turn milliseconds into dates.
MAX_TIMESTAMP_MS: Final = 253_402_300_799_999


def add_snapshot(state: TableState, update: Place) -> None:
    """Add a snapshot; it becomes visible when a branch or tag is set to it.

    Raises
    ------
    CommitFailed
        Its sequence number or its first row id has been overtaken: the client must build it again.
    """
    place = update.place("snapshot")
    snapshot_id = place.integer("snapshot-id", 0)
    for what, known in (("schema", state.schemas), ("partition spec", state.specs), ("sort order", state.orders)):
        if not known:
            raise update.fault("snapshot", f"Attempting to add a snapshot before a {what} is added")
    if snapshot_id in state.snapshots:
        raise place.fault("snapshot-id", f"Snapshot already exists for id: {snapshot_id}")
    _check_facts(state, place, snapshot_id)
    _count_sequence(state, place)
    if state.format_version >= ROW_LINEAGE_VERSION:
        _count_rows(state, place)
    state.snapshots[snapshot_id] = {name: without_nulls(one) for name, one in place.value.items() if one is not None}
    state.added[snapshot_id] = place.pointer
    state.touched.add("snapshots")


def _check_facts(state: TableState, place: Place, snapshot_id: int) -> None:
    if place.optional_integer("parent-snapshot-id") == snapshot_id:
        raise place.fault("parent-snapshot-id", f"Cannot add snapshot {snapshot_id}: it is its own parent")
    place.integer("timestamp-ms", 0, MAX_TIMESTAMP_MS)
    place.optional_integer("schema-id", 0, INT32_MAX)
    place.optional_text("key-id")
    if state.format_version == 1 and not place.has("manifest-list"):
        place.texts("manifests")
    else:
        place.text("manifest-list")
    operation = place.properties("summary").get("operation")
    if operation is not None and operation not in OPERATIONS:
        summary = place.place("summary")
        raise summary.fault("operation", f"{summary.at('operation')}: Expected one of {', '.join(OPERATIONS)}.")


def _count_sequence(state: TableState, place: Place) -> None:
    if state.format_version == 1:
        sequence_number = place.optional_integer("sequence-number", 0)
        if sequence_number:
            raise place.fault("sequence-number", f"Sequence number must be 0 in v1: {sequence_number}")
        return
    sequence_number = place.integer("sequence-number", 0)
    if sequence_number <= state.last_sequence_number and place.has("parent-snapshot-id"):
        raise CommitFailed(
            f"Cannot add snapshot with sequence number {sequence_number} older than last sequence number "
            f"{state.last_sequence_number}"
        )
    if sequence_number > state.last_sequence_number:
        state.last_sequence_number = sequence_number
        state.touched.add("last-sequence-number")


def _count_rows(state: TableState, place: Place) -> None:
    if not place.has("first-row-id"):
        raise place.fault("first-row-id", "Cannot add a snapshot: first-row-id is null")
    first = place.integer("first-row-id", 0)
    if not place.has("added-rows"):
        raise place.fault("added-rows", "Invalid added-rows (required when first-row-id is set): null")
    added = place.integer("added-rows", 0)
    if first < state.next_row_id:
        raise CommitFailed(
            f"Cannot add a snapshot, first-row-id is behind table next-row-id: {first} < {state.next_row_id}"
        )
    if first + added > INT64_MAX:
        raise place.fault("added-rows", f"{place.at('added-rows')}: Row ids would not fit into 64 bits.")
    # The reference implementation adds the rows to the old next-row-id. A snapshot that begins later would then have
    # its rows' ids given out once more.
    if first + added != state.next_row_id:
        state.next_row_id = first + added
        state.touched.add("next-row-id")


def remove_snapshots(state: TableState, update: Place) -> None:
    """Forget snapshots, with the branches, tags and statistics that are theirs."""
    for snapshot_id in update.integers("snapshot-ids"):
        if state.snapshots.pop(snapshot_id, None) is None:
            continue
        state.has_removed = True
        state.touched.add("snapshots")
        _drop_files(state, "statistics", snapshot_id)
        _drop_files(state, "partition-statistics", snapshot_id)
        for name in state.ref_names(snapshot_id):
            state.put_ref(name, None)


def set_snapshot_ref(state: TableState, update: Place) -> None:
    """Set a branch or a tag; with `main` the current snapshot and the history change."""
    name = update.text("ref-name")
    ref = _read_ref(update, name)
    if state.refs.get(name) == ref:
        return
    snapshot = state.snapshots.get(ref["snapshot-id"])
    if snapshot is None:
        raise update.fault("snapshot-id", f"Cannot set {name} to unknown snapshot: {ref['snapshot-id']}")
    state.put_ref(name, ref)
    if name == MAIN:
        _note_current(state, snapshot)


def _read_ref(update: Place, name: str) -> dict[str, Any]:
    kind = update.text("type").lower()
    if kind not in ("branch", "tag"):
        raise update.fault("type", f"Invalid snapshot ref type: {kind[:100]}")
    if name == MAIN and kind != "branch":
        raise update.fault("type", "Cannot set main: it must be a branch, not a tag")
    ref: dict[str, Any] = {"snapshot-id": update.integer("snapshot-id"), "type": kind}
    retention = {
        "min-snapshots-to-keep": ("Min snapshots to keep must be greater than 0", "minSnapshotsToKeep", INT32_MAX),
        "max-snapshot-age-ms": ("Max snapshot age must be greater than 0 ms", "maxSnapshotAgeMs", INT64_MAX),
        "max-ref-age-ms": ("Max reference age must be greater than 0", "", INT64_MAX),
    }
    for field, (too_small, java_name, highest) in retention.items():
        value = update.optional_integer(field, high=highest)
        if value is None:
            continue
        if kind == "tag" and java_name:
            raise update.fault(field, f"Tags do not support setting {java_name}")
        if value <= 0:
            raise update.fault(field, too_small)
        ref[field] = value
    return ref


def _note_current(state: TableState, snapshot: dict[str, Any]) -> None:
    snapshot_id = snapshot["snapshot-id"]
    is_added = snapshot_id in state.added
    timestamp_ms = snapshot["timestamp-ms"] if is_added else state.now_ms
    if state.log:
        # Clocks of clients differ; the reference implementation does not load a log that goes back by over a minute.
        timestamp_ms = max(timestamp_ms, state.log[-1]["timestamp-ms"])
    if is_added:
        state.once_current.add(snapshot_id)
    state.log.append({"timestamp-ms": timestamp_ms, "snapshot-id": snapshot_id})
    state.touched.add("snapshot-log")


def remove_snapshot_ref(state: TableState, update: Place) -> None:
    """Forget a branch or a tag; without `main` there is no current snapshot."""
    name = update.text("ref-name")
    if name in state.refs:
        state.put_ref(name, None)


def set_statistics(state: TableState, update: Place) -> None:
    """Set the statistics file of a snapshot."""
    place = update.place("statistics")
    place.text("statistics-path")
    place.integer("file-size-in-bytes", 0)
    place.integer("file-footer-size-in-bytes", 0)
    place.optional_text("key-metadata")
    place.items("blob-metadata")
    for blob in place.places("blob-metadata"):
        blob.text("type")
        blob.integer("snapshot-id")
        blob.integer("sequence-number")
        blob.integers("fields", 0, INT32_MAX)
        blob.properties("properties")
    _set_files(state, "statistics", place)


def set_partition_statistics(state: TableState, update: Place) -> None:
    """Set the partition statistics file of a snapshot."""
    place = update.place("partition-statistics")
    place.text("statistics-path")
    place.integer("file-size-in-bytes", 0)
    _set_files(state, "partition-statistics", place)


def remove_statistics(state: TableState, update: Place) -> None:
    """Forget the statistics of a snapshot."""
    _drop_files(state, "statistics", update.integer("snapshot-id"))


def remove_partition_statistics(state: TableState, update: Place) -> None:
    """Forget the partition statistics of a snapshot."""
    _drop_files(state, "partition-statistics", update.integer("snapshot-id"))


def _files(state: TableState, name: str) -> dict[int, list[dict[str, Any]]]:
    return state.statistics if name == "statistics" else state.partition_statistics


def _set_files(state: TableState, name: str, place: Place) -> None:
    snapshot_id = place.integer("snapshot-id")
    if snapshot_id not in state.snapshots:
        raise place.fault("snapshot-id", f"Cannot set {name} for unknown snapshot: {snapshot_id}")
    new = [without_nulls(dict(place.value))]
    if _files(state, name).get(snapshot_id) != new:
        _files(state, name)[snapshot_id] = new
        state.touched.add(name)


def _drop_files(state: TableState, name: str, snapshot_id: int) -> None:
    if _files(state, name).pop(snapshot_id, None) is not None:
        state.touched.add(name)
