from __future__ import annotations

import copy
from typing import Any

import pytest

from catalog.errors import BadCatalogRequest, CommitFailed
from catalog.table_updates import apply_updates
from tests.catalog.table_factories import (
    NOW,
    SCHEMA,
    add_snapshot,
    append,
    column,
    schema_json,
    set_ref,
    snapshot,
    table,
)

STATISTICS = {
    "snapshot-id": 1,
    "statistics-path": "file:///warehouse/t/metadata/s.puffin",
    "file-size-in-bytes": 10,
    "file-footer-size-in-bytes": 5,
    "blob-metadata": [],
}


def apply(metadata: dict[str, Any], *updates: dict[str, Any]) -> dict[str, Any]:
    before = copy.deepcopy(metadata)
    changed = apply_updates(metadata, updates, now_ms=NOW + 99)
    assert metadata == before
    return changed


def refusal(metadata: dict[str, Any], *updates: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(BadCatalogRequest) as caught:
        apply(metadata, *updates)
    return caught.value.faults[0].pointer, caught.value.detail


def remove(*snapshot_ids: int) -> dict[str, Any]:
    return {"action": "remove-snapshots", "snapshot-ids": list(snapshot_ids)}


def history(metadata: dict[str, Any]) -> list[int]:
    return [one["snapshot-id"] for one in metadata["snapshot-log"]]


def three() -> dict[str, Any]:
    held = table()
    for i in (1, 2, 3):
        held = apply(held, *append(i, i - 1 or None))
    return held


def test_an_append_moves_main_and_the_history() -> None:
    held = three()

    assert (held["current-snapshot-id"], held["last-sequence-number"]) == (3, 3)
    assert held["refs"] == {"main": {"snapshot-id": 3, "type": "branch"}}
    assert held["snapshot-log"] == [{"timestamp-ms": NOW + i, "snapshot-id": i} for i in (1, 2, 3)]
    assert held["snapshots"][1] == snapshot(2, 1)


def test_going_back_is_history_too() -> None:
    held = apply(three(), set_ref(1))

    assert held["current-snapshot-id"] == 1
    assert held["snapshot-log"][-1] == {"timestamp-ms": NOW + 99, "snapshot-id": 1}


def test_what_a_commit_only_passed_through_is_no_history() -> None:
    held = apply(three(), *append(4, 3), *append(5, 4))

    assert history(held) == [1, 2, 3, 5]
    assert len(held["snapshots"]) == 5


def test_history_before_a_removed_snapshot_is_forgotten() -> None:
    assert history(apply(three(), remove(2))) == [3]
    assert history(apply(three(), remove(1))) == [2, 3]
    assert history(apply(three(), remove(7))) == [1, 2, 3]


def test_with_the_current_snapshot_go_main_and_its_statistics() -> None:
    held = apply(
        three(),
        set_ref(3, "kept", "tag"),
        set_ref(1, "first", "tag"),
        {"action": "set-statistics", "statistics": {**STATISTICS, "snapshot-id": 3}},
        {"action": "set-partition-statistics", "partition-statistics": {**STATISTICS, "snapshot-id": 3}},
        {"action": "set-statistics", "statistics": STATISTICS},
    )

    held = apply(held, remove(3))

    assert held["current-snapshot-id"] == -1
    assert list(held["refs"]) == ["first"]
    assert (held["statistics"], held["partition-statistics"]) == ([STATISTICS], [])


def test_v3_leaves_out_a_current_snapshot_that_is_none() -> None:
    held = apply(table(3), *append(1, **{"first-row-id": 0, "added-rows": 1}))

    held = apply(held, {"action": "remove-snapshot-ref", "ref-name": "main"})

    assert "current-snapshot-id" not in held
    assert held["refs"] == {}


@pytest.mark.parametrize("number", [0, 2, 3])
def test_a_sequence_number_that_was_overtaken_is_a_conflict(number: int) -> None:
    with pytest.raises(CommitFailed) as caught:
        apply(three(), *append(4, 3, **{"sequence-number": number}))

    words = f"Cannot add snapshot with sequence number {number} older than last sequence number 3"
    assert caught.value.detail == words


def test_the_last_sequence_number_never_falls() -> None:
    held = apply(three(), add_snapshot(4, **{"sequence-number": 1}))

    assert held["last-sequence-number"] == 3


def test_v1_has_no_sequence_numbers() -> None:
    held = apply(table(1), *append(1, **{"sequence-number": None}), *append(2, 1, **{"sequence-number": 0}))

    assert "last-sequence-number" not in held
    assert "must be 0 in v1" in refusal(table(1), add_snapshot(1))[1]
    only = {"manifest-list": None, "sequence-number": None, "manifests": ["file:///warehouse/t/m.avro"]}
    assert apply(table(1), add_snapshot(1, **only))["snapshots"][0]["manifests"] == only["manifests"]


def test_rows_of_v3_get_ids_nobody_had() -> None:
    held = apply(table(3), *append(1, **{"first-row-id": 0, "added-rows": 10}))
    held = apply(held, *append(2, 1, **{"first-row-id": 15, "added-rows": 5, "key-id": "k"}))

    assert held["next-row-id"] == 20
    assert held["snapshots"][1]["key-id"] == "k"
    with pytest.raises(CommitFailed, match="first-row-id is behind table next-row-id: 19 < 20"):
        apply(held, *append(3, 2, **{"first-row-id": 19, "added-rows": 1}))
    assert refusal(held, add_snapshot(3, 2))[1] == "Cannot add a snapshot: first-row-id is null"
    assert "added-rows" in refusal(held, add_snapshot(3, 2, **{"first-row-id": 20}))[1]
    huge = {"first-row-id": 2**63 - 1, "added-rows": 1}
    assert "64 bits" in refusal(held, add_snapshot(3, 2, **huge))[1]


def test_a_clock_that_is_behind_does_not_turn_history_around() -> None:
    held = apply(three(), *append(4, 3, **{"timestamp-ms": NOW - 10_000_000}))

    assert [one["timestamp-ms"] for one in held["snapshot-log"]] == [NOW + 1, NOW + 2, NOW + 3, NOW + 3]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"kind": "tag", "min-snapshots-to-keep": 1}, "Tags do not support setting minSnapshotsToKeep"),
        ({"kind": "tag", "max-snapshot-age-ms": 1}, "Tags do not support setting maxSnapshotAgeMs"),
        ({"min-snapshots-to-keep": 0}, "Min snapshots to keep must be greater than 0"),
        ({"max-snapshot-age-ms": -1}, "Max snapshot age must be greater than 0 ms"),
        ({"max-ref-age-ms": 0}, "Max reference age must be greater than 0"),
        ({"kind": "branches"}, "Invalid snapshot ref type: branches"),
        ({"snapshot_id": 9}, "Cannot set b to unknown snapshot: 9"),
        ({"name": "main", "kind": "tag"}, "Cannot set main: it must be a branch, not a tag"),
    ],
)
def test_a_branch_or_tag_that_cannot_be_is_refused(more: dict[str, Any], words: str) -> None:
    assert refusal(three(), set_ref(**({"snapshot_id": 3, "name": "b"} | more)))[1] == words


def test_retention_is_kept_with_its_branch() -> None:
    ref = {"min-snapshots-to-keep": 2, "max-snapshot-age-ms": 5, "max-ref-age-ms": 2**62}
    held = apply(three(), set_ref(2, "b", **ref, **{"nothing": None}))

    assert held["refs"]["b"] == {"snapshot-id": 2, "type": "branch", **ref}
    assert apply(held, set_ref(2, "b", **ref)) == held


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"snapshot-id": 3}, "/snapshot-id"),
        ({"snapshot-id": "4"}, "/snapshot-id"),
        ({"snapshot-id": 2**63}, "/snapshot-id"),
        ({"snapshot-id": True}, "/snapshot-id"),
        ({"sequence-number": None}, "/sequence-number"),
        ({"sequence-number": 4.0}, "/sequence-number"),
        ({"timestamp-ms": 2**62}, "/timestamp-ms"),
        ({"manifest-list": None}, "/manifest-list"),
        ({"manifest-list": 3}, "/manifest-list"),
        ({"summary": {"operation": "explode"}}, "/summary/operation"),
        ({"summary": {"operation": "append", "n": 1}}, "/summary/n"),
        ({"parent-snapshot-id": 4}, "/parent-snapshot-id"),
        ({"schema-id": 8}, "/schema-id"),
    ],
)
def test_a_snapshot_that_is_none_is_refused_with_its_place(more: dict[str, Any], pointer: str) -> None:
    # Two updates before it: the place counts from the first.
    updates = [set_ref(1, "a", "tag"), set_ref(1, "b", "tag"), add_snapshot(4, **({"parent-snapshot-id": 3} | more))]

    assert refusal(three(), *updates)[0] == "/updates/2/snapshot" + pointer


def test_a_snapshot_may_come_before_its_schema() -> None:
    schema = schema_json(*SCHEMA["fields"], column(5, "new"))
    held = apply(three(), *append(4, 3, **{"schema-id": 1}), {"action": "add-schema", "schema": schema})

    assert held["snapshots"][3]["schema-id"] == 1


def test_statistics_of_no_snapshot_are_refused() -> None:
    update = {"action": "set-statistics", "statistics": {**STATISTICS, "snapshot-id": 9}}

    assert refusal(three(), update)[0] == "/updates/0/statistics/snapshot-id"


def test_thousands_of_snapshots_go_one_by_one() -> None:
    """Each removal costs what it removes: all of them together are linear."""
    count = 5_000
    held = table() | {"snapshots": [snapshot(i) for i in range(1, count + 1)], "last-sequence-number": count}
    held = apply_updates(held, [set_ref(i, f"t{i}", "tag") for i in range(1, count + 1)], now_ms=NOW)

    held = apply_updates(held, [remove(i) for i in range(1, count)], now_ms=NOW)

    assert (len(held["snapshots"]), list(held["refs"])) == (1, [f"t{count}"])


def test_a_commit_copies_no_snapshot() -> None:
    held = three()

    changed = apply_updates(held, append(4, 3), now_ms=NOW)

    assert all(new is old for new, old in zip(changed["snapshots"], held["snapshots"], strict=False))
    assert changed["schemas"] is held["schemas"]
