from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vectors.groups import ABSENT, MAX_GROUPS, MAX_LABEL, OTHER, group_by, keys_to_group_by, telling_key

text = st.text(max_size=5)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text
values = plain | st.lists(plain, max_size=2) | st.dictionaries(text, plain, max_size=2)
metadata = st.lists(st.none() | st.fixed_dictionaries({}, optional={"a": values}), max_size=20)


@given(metadata)
def test_every_item_has_a_group_that_can_be_shown(items: list[Any]) -> None:
    grouping = group_by(items, "a")

    assert len(grouping.of) == len(items)
    assert set(grouping.of) == set(range(len(grouping.labels)))
    assert grouping.n_own <= MAX_GROUPS
    assert len(grouping.labels) - grouping.n_own <= 2
    for label in grouping.labels:
        assert label.encode()
        assert len(label) <= MAX_LABEL


@given(metadata)
def test_items_without_the_key_are_together_and_alone(items: list[Any]) -> None:
    grouping = group_by(items, "a")
    without = {n for n, one in enumerate(items) if one is None or one.get("a") is None}

    absent = {n for n, group in enumerate(grouping.of) if group >= grouping.n_own and grouping.labels[group] == ABSENT}
    assert absent == without


def test_the_most_frequent_values_come_first_and_the_rest_goes_together() -> None:
    words = [word for rank, word in enumerate("abcdefghijkl") for _ in range(20 - rank)]

    grouping = group_by([{"w": word} for word in words], "w")

    assert grouping.labels == (*"abcdefgh", OTHER)
    assert grouping.of.count(8) == words.count("i") + words.count("j") + words.count("k") + words.count("l")


def test_true_is_not_one_and_one_is_not_its_text_in_another_type() -> None:
    assert group_by([{"a": True}, {"a": 1}], "a").labels == ("1", "true")


def test_many_numbers_become_ranges_that_hold_as_many_items_each() -> None:
    grouping = group_by([{"n": n} for n in range(100)] + [{}], "n")

    assert grouping.labels == ("0 to 19", "20 to 39", "40 to 59", "60 to 79", "80 to 99", ABSENT)
    assert [grouping.of.count(group) for group in range(6)] == [20] * 5 + [1]


def test_few_numbers_stay_themselves() -> None:
    assert group_by([{"n": n % 3} for n in range(100)], "n").labels == ("0", "1", "2")


def test_keys_with_plain_values_are_offered_the_most_frequent_first() -> None:
    items = [{"rare": 1, "b": "x", "tags": ["x"]}, {"b": "y", "a": 2}, {"a": 3, "b": None}, None]

    assert keys_to_group_by(items) == ["a", "b", "rare"]


def test_the_key_that_tells_most_is_chosen() -> None:
    items = [
        {"constant": "x", "nearly": "x" if n else "y", "serial": f"s{n}", "size": n, "side": "lr"[n % 2]}
        for n in range(100)
    ]

    assert telling_key(items, keys_to_group_by(items)) == "side"
    assert telling_key([{"serial": f"s{n}", "size": n} for n in range(100)], ["serial", "size"]) == "size"
    assert telling_key([None], []) is None
