"""Snapshots, branches, logs and statistics of metadata that somebody else wrote.

References
----------
Apache Iceberg table specification, "Snapshots", "Snapshot References", "Table Metadata Fields".
"""

from __future__ import annotations

from typing import Final

from catalog.errors import BadCatalogRequest
from catalog.json_places import INT32_MAX, Place
from catalog.table_parts import MAIN, NO_SNAPSHOT, ROW_LINEAGE_VERSION

# Clocks differ; the reference implementation refuses to load logs that go back by more.
MAX_STEP_BACK_MS: Final = 60_000


def check_snapshots(place: Place, version: int) -> None:
    """Check everything about snapshots in a table's metadata, and that ids named in one part are in the other.

    Raises
    ------
    BadCatalogRequest
        Naming the place of what is wrong.
    """
    last_sequence_number = place.integer("last-sequence-number", 0) if version > 1 else 0
    next_row_id = place.integer("next-row-id", 0) if version >= ROW_LINEAGE_VERSION else 0
    ids: set[int] = set()
    for one in place.places("snapshots"):
        _check_snapshot(one, version, last_sequence_number)
        if version >= ROW_LINEAGE_VERSION and one.has("first-row-id"):
            _check_rows(one, next_row_id)
        snapshot_id = one.integer("snapshot-id")
        if snapshot_id in ids:
            raise one.fault("snapshot-id", f"Snapshot already exists for id: {snapshot_id}")
        ids.add(snapshot_id)
    current = place.optional_integer("current-snapshot-id")
    current = None if current == NO_SNAPSHOT else current
    if current is not None and current not in ids:
        raise place.fault("current-snapshot-id", "Invalid table metadata: Cannot find current version")
    _check_refs(place, ids, current)
    _check_log(place)
    _check_statistics(place)


def _check_snapshot(one: Place, version: int, last_sequence_number: int) -> None:
    one.integer("timestamp-ms", 0)
    one.optional_integer("parent-snapshot-id")
    one.optional_integer("schema-id", 0, INT32_MAX)
    one.properties("summary")
    if one.has("manifests") and not one.has("manifest-list"):
        one.texts("manifests")  # As v1 may do it, and what was v1 keeps it.
    elif one.has("manifest-list") or version > 1:
        one.text("manifest-list")
    sequence_number = one.optional_integer("sequence-number", 0) or 0
    if sequence_number > last_sequence_number:
        detail = (
            f"Invalid snapshot with sequence number {sequence_number} greater than last sequence number "
            f"{last_sequence_number}"
        )
        raise one.fault("sequence-number", detail)


def _check_rows(one: Place, next_row_id: int) -> None:
    end = one.integer("first-row-id", 0) + (one.optional_integer("added-rows", 0) or 0)
    if end > next_row_id:
        raise one.fault("first-row-id", f"Invalid snapshot: its row ids reach beyond next-row-id {next_row_id}")


def _check_refs(place: Place, ids: set[int], current: int | None) -> None:
    if not place.has("refs"):
        return
    refs = place.place("refs")
    for name in refs.value:
        ref = refs.place(name)
        kind = ref.text("type")
        if kind not in ("branch", "tag"):
            raise ref.fault("type", f"Invalid snapshot ref type: {kind[:100]}")
        for field in ("min-snapshots-to-keep", "max-snapshot-age-ms", "max-ref-age-ms"):
            ref.optional_integer(field)
        if ref.integer("snapshot-id") not in ids:
            detail = f"Snapshot for reference {name} does not exist in the existing snapshots list"
            raise ref.fault("snapshot-id", detail)
    main = refs.place(MAIN) if refs.has(MAIN) else None
    if main is None and current is None:
        return
    if main is None:
        return  # The reference implementation takes a current snapshot without a branch, too.
    if current is None:
        raise refs.fault(MAIN, "Current snapshot is not set, but main branch exists")
    if main.text("type") != "branch":
        raise main.fault("type", "Invalid main: it must be a branch, not a tag")
    if main.integer("snapshot-id") != current:
        detail = f"Current snapshot ID does not match main branch ({current} != {main.integer('snapshot-id')})"
        raise main.fault("snapshot-id", detail)


def _check_log(place: Place) -> None:
    for name, reference in (("snapshot-log", "snapshot-id"), ("metadata-log", None)):
        last: int | None = None
        for entry in place.places(name):
            at = entry.integer("timestamp-ms", 0)
            if reference is not None:
                entry.integer(reference)
            if last is not None and at < last - MAX_STEP_BACK_MS:
                raise BadCatalogRequest(f"/{name}: The entries are not in the order of time.", pointer=f"/{name}")
            last = at
        if last is not None and place.integer("last-updated-ms") < last - MAX_STEP_BACK_MS:
            updated = place.integer("last-updated-ms")
            detail = f"Invalid update timestamp {updated}: before the last entry of {name} at {last}"
            raise place.fault("last-updated-ms", detail)


def _check_statistics(place: Place) -> None:
    for name in ("statistics", "partition-statistics"):
        for one in place.places(name):
            one.integer("snapshot-id")
            one.text("statistics-path")
            one.integer("file-size-in-bytes", 0)
