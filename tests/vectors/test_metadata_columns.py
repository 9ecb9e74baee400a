from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vectors.test_filters import JSON, METADATA
from vectors.filters import matches, parse_filter
from vectors.metadata_columns import MAX_PATHS, REMEMBERED_ANSWERS, Entry, MetadataColumns

PATHS = st.sampled_from(["a", "b", "a.b"])
NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, -2.0])
CONDITIONS = st.one_of(
    st.builds(lambda path, value: {path: {"$eq": value}}, PATHS, JSON),
    st.builds(lambda path, value: {path: {"$ne": value}}, PATHS, JSON),
    st.builds(lambda path, values: {path: {"$in": values}}, PATHS, st.lists(JSON, max_size=3)),
    st.builds(
        lambda path, name, value: {path: {name: value}},
        PATHS,
        st.sampled_from(["$gt", "$gte", "$lt", "$lte"]),
        NUMBERS | st.sampled_from("ab"),
    ),
    st.builds(lambda path, value: {path: {"$exists": value}}, PATHS, st.booleans()),
    st.builds(lambda path, value: {path: {"$contains": value}}, PATHS, NUMBERS | st.sampled_from("ab")),
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: (
        st.builds(lambda parts: {"$or": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda parts: {"$and": parts}, st.lists(inner, min_size=1, max_size=3))
        | st.builds(lambda part: {"$not": part}, inner)
    ),
    max_leaves=4,
)
CHANGES = st.lists(st.tuples(st.integers(0, 8), st.booleans(), METADATA), max_size=25)


def entry(row: int, label: int, metadata: dict[str, Any] | None, *, deleted: bool = False) -> Entry:
    return Entry(row, label, deleted, None if deleted else metadata)


@settings(deadline=None)
@given(st.lists(st.tuples(CHANGES, FILTERS), max_size=4))
def test_columns_say_what_asking_every_item_says(steps: list[tuple[Any, dict[str, Any]]]) -> None:
    columns = MetadataColumns()
    columns.add_paths(["a", "b", "a.b"])
    model: dict[int, tuple[int, dict[str, Any] | None]] = {}
    label = 0

    for changes, body in steps:
        entries = []
        for row, deleted, metadata in changes:
            label += 1
            entries.append(entry(row, label, metadata, deleted=deleted))
            if deleted:
                model.pop(row, None)
            else:
                model[row] = label, metadata
        columns.apply(entries)
        wanted = parse_filter(body)
        expected = sorted(found for found, metadata in model.values() if matches(wanted, metadata))
        for _ in range(2):  # the second time from memory
            assert columns.matching(wanted).tolist() == expected


def test_columns_grow_with_the_items_and_reuse_what_was_deleted() -> None:
    columns = MetadataColumns()
    columns.add_paths(["n"])
    columns.apply([entry(row, row + 1, {"n": row}) for row in range(5_000)])
    columns.apply([entry(row, 0, None, deleted=True) for row in range(0, 5_000, 2)])
    size = columns.size_bytes

    columns.apply([entry(row, row + 1, {"n": row % 10}) for row in range(10_000, 12_000)])

    wanted = parse_filter({"n": {"$lt": 10}})
    assert len(columns.matching(wanted)) == 5 + 2_000
    assert len(columns) == 4_500
    assert columns.size_bytes < 1.5 * size


def test_numbers_float64_cannot_hold_are_compared_exactly() -> None:
    big = 2**53
    columns = MetadataColumns()
    columns.add_paths(["n"])
    columns.apply([entry(i, i + 1, {"n": big + i}) for i in range(4)])

    assert columns.matching(parse_filter({"n": {"$gt": big}})).tolist() == [2, 3, 4]
    assert columns.matching(parse_filter({"n": {"$gte": big + 2}})).tolist() == [3, 4]
    assert columns.matching(parse_filter({"n": {"$lt": 10**40}})).tolist() == [1, 2, 3, 4]


def test_the_path_used_longest_ago_makes_room() -> None:
    columns = MetadataColumns()
    columns.add_paths([f"k{i}" for i in range(MAX_PATHS)])

    assert columns.lacking(parse_filter({"k0": 1, "new": 1})) == {"new"}
    columns.add_paths(["new"])

    assert columns.lacking(parse_filter({"k0": 1, "new": 1})) == set()
    assert columns.lacking(parse_filter({"k1": 1})) == {"k1"}


def test_many_different_values_are_found() -> None:
    rng = random.Random(7)
    columns = MetadataColumns()
    columns.add_paths(["x"])
    values = [rng.random() for _ in range(3_000)]
    columns.apply([entry(i, i + 1, {"x": value}) for i, value in enumerate(values)])

    found = columns.matching(parse_filter({"x": {"$gte": 0.25, "$lt": 0.5}})).tolist()

    assert found == [i + 1 for i, value in enumerate(values) if 0.25 <= value < 0.5]


def test_booleans_nulls_arrays_and_numbers_keep_apart() -> None:
    values: list[Any] = [1, 1.0, True, "1", None, [1], [True], [[1]], {"x": 1}, "true", "[1]", 0, False, [], {}, ""]
    columns = MetadataColumns()
    columns.add_paths(["a"])
    columns.apply([entry(i, i + 1, {"a": value}) for i, value in enumerate(values)])

    for value in values:
        for operator in ("$eq", "$ne", "$in", "$nin"):
            wanted = parse_filter({"a": {operator: value if operator in ("$eq", "$ne") else [value, "none"]}})
            expected = [i + 1 for i, other in enumerate(values) if matches(wanted, {"a": other})]
            assert columns.matching(wanted).tolist() == expected


def test_values_that_come_after_a_filter_was_asked_are_seen_by_it() -> None:
    wanted = [parse_filter({"a": "x1"}), parse_filter({"a": {"$gt": 5}}), parse_filter({"a": {"$contains": "1"}})]
    columns = MetadataColumns()
    columns.add_paths(["a"])
    columns.apply([entry(0, 1, {"a": "x0"})])
    assert [columns.matching(one).tolist() for one in wanted] == [[], [], []]

    columns.apply([entry(1, 2, {"a": "x1"}), entry(2, 3, {"a": 6}), entry(3, 4, {"a": ["x1", 6]})])

    assert [columns.matching(one).tolist() for one in wanted] == [[2, 4], [3], [2]]


def test_values_no_item_has_any_more_are_forgotten() -> None:
    columns = MetadataColumns()
    columns.add_paths(["t", "k"])
    sizes = []
    for round_ in range(60):
        columns.apply([entry(row, row + 1, {"t": f"{round_}-{row}" * 20, "k": row % 3}) for row in range(500)])
        columns.matching(parse_filter({"t": {"$gt": "0"}, "k": 1}))
        sizes.append(columns.size_bytes)

    assert max(sizes[10:]) < 3 * sizes[3]
    assert columns.matching(parse_filter({"t": "59-7" * 20})).tolist() == [8]
    assert columns.matching(parse_filter({"k": {"$in": [0, 2]}})).tolist() == [r + 1 for r in range(500) if r % 3 != 1]


def test_what_is_remembered_counts_as_memory_and_has_a_limit() -> None:
    columns = MetadataColumns()
    columns.add_paths(["n"])
    columns.apply([entry(row, row + 1, {"n": row}) for row in range(4_000)])
    before = columns.size_bytes

    for limit in range(200):
        columns.matching(parse_filter({"n": {"$gte": limit}}))

    grown = columns.size_bytes - before
    assert REMEMBERED_ANSWERS * 3_800 * 8 <= grown <= REMEMBERED_ANSWERS * 4_000 * 8 + 200 * 4_000


def test_an_answer_cannot_be_changed_by_who_gets_it() -> None:
    columns = MetadataColumns()
    columns.apply([entry(0, 1, None)])

    with pytest.raises(ValueError, match="read-only"):
        columns.matching(parse_filter({}))[0] = 5


def test_a_thousand_conditions_need_the_memory_of_one() -> None:
    columns = MetadataColumns()
    columns.add_paths(["n"])
    columns.apply([entry(row, row + 1, {"n": row}) for row in range(3_000)])

    wanted = parse_filter({"$or": [{"n": 3 * i} for i in range(1_000)]})

    assert len(columns.matching(wanted)) == 1_000


def test_metadata_as_deep_as_may_be_stored_have_their_place() -> None:
    deep: Any = 1
    for _ in range(252):
        deep = [deep]
    columns = MetadataColumns()
    columns.add_paths(["a"])
    columns.apply([entry(0, 1, {"a": deep}), entry(1, 2, {"a": [deep, 10**30]})])

    assert columns.matching(parse_filter({"a": {"$exists": True}})).tolist() == [1, 2]
    assert columns.matching(parse_filter({"a": 10**30})).tolist() == [2]
    assert columns.matching(parse_filter({"a": [[[[1]]]]})).tolist() == []
