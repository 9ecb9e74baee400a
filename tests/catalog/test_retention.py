from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.retention import what_expires

NOW = 1_000_000_000_000
DAY = 86_400_000


def snap(snapshot_id: int, days: float, parent: int | None = None) -> dict[str, Any]:
    return {"snapshot-id": snapshot_id, "timestamp-ms": int(NOW - days * DAY), "parent-snapshot-id": parent}


def line(*days: float) -> list[dict[str, Any]]:
    """Snapshots 1, 2, … of these ages, each on top of the one before."""
    return [snap(place, age, place - 1 or None) for place, age in enumerate(days, start=1)]


def metadata(snapshots: list[dict[str, Any]], properties: dict[str, str] | None = None, **refs: Any) -> dict[str, Any]:
    current = refs["main"]["snapshot-id"] if "main" in refs else -1
    return {"snapshots": snapshots, "properties": properties or {}, "refs": refs, "current-snapshot-id": current}


def branch(snapshot_id: int, **more: int) -> dict[str, Any]:
    return {
        "snapshot-id": snapshot_id,
        "type": "branch",
        **{key.replace("_", "-"): value for key, value in more.items()},
    }


def tag(snapshot_id: int, **more: int) -> dict[str, Any]:
    return {**branch(snapshot_id, **more), "type": "tag"}


def gone(found: dict[str, Any], **options: Any) -> list[int]:
    return list(what_expires(found, now_ms=NOW, **options).snapshot_ids)


def test_by_default_snapshots_of_over_five_days_go_but_never_the_current_one() -> None:
    assert gone(metadata(line(9, 8, 4, 1), main=branch(4))) == [1, 2]
    assert gone(metadata(line(9, 8), main=branch(2))) == [1]


def test_the_properties_of_the_table_count_and_what_is_given_counts_before_them() -> None:
    rules = {"history.expire.max-snapshot-age-ms": str(DAY), "history.expire.min-snapshots-to-keep": "2"}
    found = metadata(line(9, 8, 4, 3), rules, main=branch(4))

    assert gone(found) == [1, 2]
    assert gone(found, min_kept=1) == [1, 2, 3]
    assert gone(found, max_age_ms=100 * DAY) == []
    assert gone(metadata(line(9, 8), {"history.expire.min-snapshots-to-keep": "many"}, main=branch(2))) == [1]


def test_the_rules_of_a_branch_count_before_all() -> None:
    rules = branch(4, min_snapshots_to_keep=3, max_snapshot_age_ms=DAY)
    assert gone(metadata(line(9, 8, 4, 3), main=rules), max_age_ms=0, min_kept=1) == [1]
    assert gone(metadata(line(9, 8, 4, 3), main=branch(4, max_snapshot_age_ms=100 * DAY)), max_age_ms=0) == []


def test_what_a_tag_or_another_branch_is_at_stays() -> None:
    snapshots = [*line(9, 8, 7, 6), snap(5, 6, 2)]
    found = metadata(snapshots, main=branch(4), v1=tag(1), other=branch(5))

    assert gone(found) == [2, 3]


def test_refs_that_are_too_old_go_with_what_only_they_were_at() -> None:
    found = metadata(
        line(9, 8, 1),
        {"history.expire.max-ref-age-ms": str(9 * DAY // 1 - 1)},
        main=branch(3, max_ref_age_ms=1),
        old=tag(1),
        kept=tag(2),
        lost=tag(77),
    )
    expiry = what_expires(found, now_ms=NOW)

    assert (expiry.refs, expiry.snapshot_ids) == (("old", "lost"), (1,))


def test_snapshots_on_no_branch_go_by_their_age() -> None:
    assert gone(metadata([*line(9, 8), snap(3, 9, 1), snap(4, 2, 1)], main=branch(2))) == [1, 3]
    assert gone(metadata([snap(1, 9), snap(2, 1)])) == [1]


def test_history_that_goes_round_in_circles_ends() -> None:
    assert gone(metadata([snap(1, 9, 2), snap(2, 8, 1)], main=branch(2))) == [1]


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30)), min_size=1, max_size=12),
    st.data(),
    st.integers(0, 20),
    st.integers(0, 5),
)
def test_whatever_the_rules_heads_stay_and_a_second_run_finds_nothing(
    ages: list[tuple[int, int]], data: st.DataObject, days: int, keep: int
) -> None:
    snapshots = [snap(i, age, parent % i or None) for i, (age, parent) in enumerate(ages, start=1)]
    ids = st.integers(1, len(snapshots))
    found = metadata(snapshots, main=branch(data.draw(ids)), b=branch(data.draw(ids)), t=tag(data.draw(ids)))
    options = {"max_age_ms": days * DAY, "min_kept": keep}

    expiry = what_expires(found, now_ms=NOW, **options)
    heads = {ref["snapshot-id"] for ref in found["refs"].values()}
    left = {**found, "snapshots": [one for one in snapshots if one["snapshot-id"] not in expiry.snapshot_ids]}

    assert heads.isdisjoint(expiry.snapshot_ids)
    assert all(snapshots[one - 1]["timestamp-ms"] < NOW - days * DAY for one in expiry.snapshot_ids)
    assert gone(left, **options) == []


@pytest.mark.parametrize("found", [{}, {"snapshots": None, "refs": {}}, {"format-version": 1, "snapshots": []}])
def test_a_table_without_snapshots_has_nothing_to_lose(found: dict[str, Any]) -> None:
    assert gone(found) == []
