"""Which snapshots of a table may go: those that no branch or tag needs any more, by its own rules or the table's.

References
----------
Apache Iceberg table specification, "Snapshot Retention Policy"; the reference implementation's `RemoveSnapshots` for
what the specification leaves open: snapshots on no branch go by the table's age alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.table_parts import MAIN, current_snapshot_id, refs_of

DEFAULT_MAX_AGE_MS: Final = 5 * 86_400_000
DEFAULT_MIN_KEPT: Final = 1
MAX_AGE_PROPERTY: Final = "history.expire.max-snapshot-age-ms"
MIN_KEPT_PROPERTY: Final = "history.expire.min-snapshots-to-keep"
MAX_REF_AGE_PROPERTY: Final = "history.expire.max-ref-age-ms"
COLLECTION_PROPERTY: Final = "gc.enabled"


@dataclass(frozen=True, slots=True)
class Expiry:
    """What may go.

    Attributes
    ----------
    snapshot_ids
        In the order of the metadata.
    refs
        Names of branches and tags that are too old, or whose snapshot is missing.
    """

    snapshot_ids: tuple[int, ...]
    refs: tuple[str, ...]


def is_collectable(metadata: Mapping[str, Any]) -> bool:
    """Return whether files of the table may be deleted: not with the property ``gc.enabled=false``."""
    return str((metadata.get("properties") or {}).get(COLLECTION_PROPERTY, "true")).lower() != "false"


def what_expires(
    metadata: Mapping[str, Any], *, now_ms: int, max_age_ms: int | None = None, min_kept: int | None = None
) -> Expiry:
    """Return the snapshots, branches and tags that may go.

    Parameters
    ----------
    metadata
        Checked, or written by this app; not changed.
    now_ms
        The time, in milliseconds since 1970.
    max_age_ms
        Snapshots older than this may go, in milliseconds; None: what the table's properties say, else 5 days.
    min_kept
        So many of each branch stay however old they are, at least 1; None: as the properties say, else 1.

    Returns
    -------
    Expiry
        A branch's own rules count before these. The current snapshot, and what each branch or tag that stays is at,
        never go.
    """
    properties = metadata.get("properties") or {}
    max_age_ms = max_age_ms if max_age_ms is not None else _number(properties, MAX_AGE_PROPERTY, DEFAULT_MAX_AGE_MS)
    min_kept = max(1, min_kept if min_kept is not None else _number(properties, MIN_KEPT_PROPERTY, DEFAULT_MIN_KEPT))
    snapshots = {one["snapshot-id"]: one for one in metadata.get("snapshots") or ()}
    refs = refs_of(metadata)
    max_ref_age_ms = _number(properties, MAX_REF_AGE_PROPERTY, None)
    gone = tuple(name for name, ref in refs.items() if _is_over(name, ref, snapshots, now_ms, max_ref_age_ms))
    stays = {one for one in (current_snapshot_id(metadata),) if one is not None}
    referenced: set[int] = set()
    for name, ref in refs.items():
        if name in gone or ref["snapshot-id"] not in snapshots:
            continue
        stays.add(ref["snapshot-id"])
        referenced.add(ref["snapshot-id"])
        if ref.get("type") == "branch":
            line = list(_ancestors(snapshots, ref["snapshot-id"]))
            referenced.update(line)
            limit_ms = now_ms - ref.get("max-snapshot-age-ms", max_age_ms)
            stays.update(_kept(line, snapshots, limit_ms, ref.get("min-snapshots-to-keep", min_kept)))
    young = {key for key, one in snapshots.items() if one["timestamp-ms"] >= now_ms - max_age_ms}
    stays |= young - referenced
    return Expiry(tuple(key for key in snapshots if key not in stays), gone)


def _is_over(
    name: str, ref: Mapping[str, Any], snapshots: Mapping[int, Any], now_ms: int, max_ref_age_ms: int | None
) -> bool:
    if name == MAIN:
        return False
    snapshot = snapshots.get(ref["snapshot-id"])
    if snapshot is None:
        return True
    limit = ref.get("max-ref-age-ms", max_ref_age_ms)
    return limit is not None and now_ms - snapshot["timestamp-ms"] > limit


def _ancestors(snapshots: Mapping[int, Mapping[str, Any]], snapshot_id: int) -> Iterator[int]:
    """A snapshot and those it was built on, newest first; metadata that a stranger wrote may go round in circles."""
    seen: set[int] = set()
    found: int | None = snapshot_id
    while found is not None and found in snapshots and found not in seen:
        seen.add(found)
        yield found
        found = snapshots[found].get("parent-snapshot-id")


def _kept(line: list[int], snapshots: Mapping[int, Mapping[str, Any]], limit_ms: int, min_kept: int) -> Iterator[int]:
    # The reference implementation stops at the first that is too old; where a clock went back, it loses young ones.
    for place, snapshot_id in enumerate(line):
        if place < min_kept or snapshots[snapshot_id]["timestamp-ms"] >= limit_ms:
            yield snapshot_id


def _number(properties: Mapping[str, Any], name: str, default: Any) -> Any:
    """Return a property that is a number; a text that is none counts as absent, as it is not ours to correct."""
    text = str(properties.get(name, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else default
