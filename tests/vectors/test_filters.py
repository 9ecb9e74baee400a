from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_site.errors import InvalidInput
from vectors import filter_operators, filters
from vectors.filter_operators import identity
from vectors.filters import key_of, matches, parse_filter, parse_metadata

ITEM = {
    "lang": "en",
    "year": 2021,
    "score": 0.5,
    "draft": True,
    "none": None,
    "tags": ["news", "sport", 7],
    "author": {"name": "Ada", "address": {"city": "London"}},
    "authors": [{"name": "Ada"}, {"name": "Bob", "age": 41}],
    "a.b": "literal",
    "empty": [],
}


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"lang": "en"},
        {"lang": {"$eq": "en"}},
        {"year": 2021.0},
        {"year": {"$gte": 2021, "$lte": 2021}},
        {"year": {"$gt": 2020.5, "$lt": 2022}},
        {"lang": {"$gt": "dz", "$lt": "eo"}},
        {"lang": {"$ne": "de"}},
        {"lang": {"$in": ["de", "en"]}},
        {"lang": {"$nin": ["de", "fr"]}},
        {"lang": {"$contains": "n"}},
        {"tags": "news"},
        {"tags": 7},
        {"tags": {"$contains": "sport"}},
        {"tags": {"$in": ["x", "sport"]}},
        {"tags": ["news", "sport", 7]},
        {"tags": {"$ne": "weather"}},
        {"draft": True},
        {"none": None},
        {"none": {"$exists": True}},
        {"absent": {"$exists": False}},
        {"absent": {"$ne": 1}},
        {"absent": {"$ne": None}},
        {"absent": {"$nin": [1, 2]}},
        {"absent": {"$not": {"$gt": 3}}},
        {"author.name": "Ada"},
        {"author.address.city": {"$in": ["London"]}},
        {"author": {"name": "Ada", "address": {"city": "London"}}},
        {"authors.name": "Bob"},
        {"authors.age": {"$gt": 40}},
        {"a.b": "literal"},
        {"empty": []},
        {"$or": [{"lang": "de"}, {"year": 2021}]},
        {"$and": [{"lang": "en"}, {"$or": [{"year": 1}, {"score": 0.5}]}]},
        {"$not": {"lang": "de"}},
        {"lang": {"$not": {"$in": ["de"]}}},
    ],
    ids=json.dumps,
)
def test_an_item_passes(wanted: dict[str, Any]) -> None:
    assert matches(parse_filter(wanted), ITEM)


@pytest.mark.parametrize(
    "wanted",
    [
        {"lang": "EN"},
        {"draft": 1},
        {"year": "2021"},
        {"year": {"$gt": "2020"}},
        {"lang": {"$gt": 1}},
        {"draft": {"$gte": 0}},
        {"none": {"$exists": False}},
        {"absent": None},
        {"absent": {"$lt": 3}},
        {"absent": {"$not": {"$exists": False}}},
        {"tags": {"$ne": "news"}},
        {"tags": {"$nin": ["sport"]}},
        {"tags": {"$gt": 1}},
        {"tags": ["sport", "news", 7]},
        {"tags": {"$contains": "new"}},
        {"tags": True},
        {"year": {"$contains": 2}},
        {"author": {"name": "Ada"}},
        {"author.name.first": "Ada"},
        {"authors.age": {"$gt": 41}},
        {"lang": {"$gte": "en", "$ne": "en"}},
        {"$or": [{"lang": "de"}, {"year": 2}]},
        {"$not": {}},
        {"lang": {"$in": []}},
    ],
    ids=json.dumps,
)
def test_an_item_does_not_pass(wanted: dict[str, Any]) -> None:
    assert not matches(parse_filter(wanted), ITEM)


@pytest.mark.parametrize(
    ("wanted", "pointer", "code"),
    [
        ([], "/filter", "type"),
        ("lang", "/filter", "type"),
        ({"$nor": []}, "/filter/$nor", "operator"),
        ({"a": {"$like": "x"}}, "/filter/a/$like", "operator"),
        ({"a/b": {"$like": "x"}}, "/filter/a~1b/$like", "operator"),
        ({"a": {"$gt": None}}, "/filter/a/$gt", "operand"),
        ({"a": {"$gt": True}}, "/filter/a/$gt", "operand"),
        ({"a": {"$gt": [1]}}, "/filter/a/$gt", "operand"),
        ({"a": {"$in": 1}}, "/filter/a/$in", "operand"),
        ({"a": {"$nin": {"b": 1}}}, "/filter/a/$nin", "operand"),
        ({"a": {"$exists": 1}}, "/filter/a/$exists", "operand"),
        ({"a": {"$contains": [1]}}, "/filter/a/$contains", "operand"),
        ({"a": {"$gt": 1, "b": 2}}, "/filter/a", "mixed"),
        ({"a": {"$not": 1}}, "/filter/a/$not", "type"),
        ({"a": {"$not": {"b": 1}}}, "/filter/a/$not", "type"),
        ({"$and": []}, "/filter/$and", "type"),
        ({"$or": {"a": 1}}, "/filter/$or", "type"),
        ({"$or": [{"a": 1}, 3]}, "/filter/$or/1", "type"),
        ({"$not": [1]}, "/filter/$not", "type"),
        ({"a": {"$in": list(range(filter_operators.MAX_CHOICES + 1))}}, "/filter/a/$in", "operand"),
        ({f"k{i}": 1 for i in range(filters.MAX_KEYS + 1)}, "/filter", "too_many"),
        ({"$or": [{"a": i} for i in range(filters.MAX_CONDITIONS + 1)]}, "/filter", "too_many"),
        ({".".join("abcdefghijklmnopq"): 1}, "/filter/a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q", "path"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_a_wrong_filter_is_refused_with_its_place(wanted: Any, pointer: str, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_filter(wanted)

    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [(pointer, code)]


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_filter({"$foo": 1, "a": {"$gt": None}, "$or": [{"b": {"$in": 1}}]})

    assert [fault.pointer for fault in caught.value.faults] == ["/filter/$foo", "/filter/a/$gt", "/filter/$or/0/b/$in"]


def nested(levels: int) -> dict[str, Any]:
    wanted: dict[str, Any] = {"a": 1}
    for _ in range(levels - 1):
        wanted = {"$not": wanted}
    return wanted


def test_filters_may_be_nested_so_deep_and_no_deeper() -> None:
    assert matches(parse_filter(nested(filters.MAX_DEPTH)), {"a": 1}) is (filters.MAX_DEPTH % 2 == 1)

    with pytest.raises(InvalidInput) as caught:
        parse_filter(nested(filters.MAX_DEPTH + 1))
    assert [fault.code for fault in caught.value.faults] == ["too_deep"]


def test_a_value_nested_without_end_is_refused() -> None:
    value: Any = 1
    for _ in range(900):
        value = [value]

    with pytest.raises(InvalidInput) as caught:
        parse_filter({"a": value})
    assert [fault.code for fault in caught.value.faults] == ["too_deep"]


def test_integers_beyond_64_bits_are_told_apart() -> None:
    metadata = parse_metadata('{"n": 100000000000000000000000000000001}')

    assert matches(parse_filter({"n": 10**32 + 1}), metadata)
    assert not matches(parse_filter({"n": 10**32}), metadata)


def test_an_item_without_metadata_has_nothing_anywhere() -> None:
    assert matches(parse_filter({"a": {"$exists": False}}), None)
    assert not matches(parse_filter({"a": None}), None)


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, -2.0]) | st.sampled_from("ab")
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner))
METADATA = st.none() | st.dictionaries(st.sampled_from(["a", "b", "a.b"]), JSON, max_size=3)


@given(METADATA, JSON, st.sampled_from(["a", "b", "a.b", "a.b.a"]))
def test_each_negation_is_the_exact_opposite(metadata: dict[str, Any] | None, value: Any, path: str) -> None:
    def passes(wanted: dict[str, Any]) -> bool:
        return matches(parse_filter(wanted), metadata)

    assert passes({path: {"$ne": value}}) is not passes({path: {"$eq": value}})
    assert passes({path: {"$nin": [value]}}) is not passes({path: {"$in": [value]}})
    assert passes({path: {"$in": [value]}}) is passes({path: {"$eq": value}})
    assert passes({path: {"$not": {"$eq": value}}}) is not passes({path: {"$eq": value}})
    assert passes({path: {"$exists": True}}) is not passes({path: {"$exists": False}})


@given(METADATA, st.integers(-3, 3) | st.sampled_from("ab"))
def test_order_is_total_within_a_type_only(metadata: dict[str, Any] | None, value: Any) -> None:
    def passes(name: str) -> bool:
        return matches(parse_filter({"a": {name: value}}), metadata)

    found = None if metadata is None else metadata.get("a")
    same = (type(found) is str) == (type(value) is str) and type(found) in (int, float, str)
    assert (passes("$lt") + passes("$eq") + passes("$gt") == 1) or not same
    if same:
        assert passes("$lte") is not passes("$gt")
        assert passes("$gte") is not passes("$lt")
    elif not isinstance(found, list):
        assert not any(passes(name) for name in ("$lt", "$lte", "$gt", "$gte"))


@given(JSON, JSON, METADATA)
def test_filters_with_one_key_are_true_of_the_same_items(one: Any, other: Any, metadata: dict[str, Any] | None) -> None:
    first, second = parse_filter({"a": [one]}), parse_filter({"a": [other]})

    assert key_of(first) == key_of(parse_filter({"a": [one]}))
    if identity(one) != identity(other):
        assert key_of(first) != key_of(second)


def test_the_key_of_a_filter_is_short_and_tells_what_it_asks() -> None:
    bodies: list[dict[str, Any]] = [
        {}, {"a": 1}, {"a": True}, {"a": "1"}, {"a": [1]}, {"b": 1}, {"a": {"$gt": 1}}, {"a": {"$ne": 1}},
        {"a": 10**30}, {"a": 1e30}, {"a": {"$in": ["x" * 100_000]}}, {"a": {"$in": ["x" * 100_001]}},
        {"$or": [{"a": 1}, {"b": 1}]}, {"$and": [{"a": 1}, {"b": 1}]}, {"$not": {"a": 1, "b": 1}},
    ]  # fmt: skip

    keys = [key_of(parse_filter(body)) for body in bodies]

    assert len(set(keys)) == len(keys)
    assert all(len(repr(key)) < 300 for key in keys)


@pytest.mark.parametrize(
    ("wanted", "pointer", "code"),
    [
        ({"$or": [1] * 10_000_000}, "/filter", "too_many"),
        ({"$or": [{}] * 1_000_000}, "/filter", "too_many"),
        ({"a": {f"$x{i}": 1 for i in range(100_000)}}, "/filter", "too_many"),
        ({f"${i}": 1 for i in range(100_000)}, "/filter", "too_many"),
        ({"a" * 1_000_000: {f"$x{i}": 1 for i in range(500)}}, "/filter/" + "a" * filters.MAX_PATH_LENGTH, "path"),
        ({"a": [1] * 2_000_000}, "/filter/a", "too_large"),
        ({"a": {"$in": ["é" * 3_000] * 1_000}}, "/filter/a/$in", "too_large"),
    ],
    ids=["elements", "empty", "operators", "keys", "path", "array", "strings"],
)
def test_an_enormous_filter_is_refused_at_once(wanted: Any, pointer: str, code: str) -> None:
    started = time.thread_time()
    with pytest.raises(InvalidInput) as caught:
        parse_filter(wanted)

    assert (caught.value.faults[-1].pointer, caught.value.faults[-1].code) == (pointer, code)
    assert sum(len(fault.pointer) + len(fault.detail) for fault in caught.value.faults) < 100_000
    assert time.thread_time() - started < 2


def test_a_filter_of_the_largest_size_is_taken() -> None:
    choices = {"a": {"$in": ["é" * 500] * filter_operators.MAX_CHOICES}}
    conditions = {"$or": [{f"k{i % filters.MAX_KEYS}": {"$not": {"$gt": i}}} for i in range(filters.MAX_CONDITIONS)]}

    assert not matches(parse_filter(choices), ITEM)
    assert matches(parse_filter(conditions), ITEM)


@pytest.mark.parametrize(
    ("body", "is_huge"),
    [
        (None, False),
        ({"a": [1, {"b": 2.5}], "c": "1e30"}, False),
        ({"a": 1e18}, False),
        ({"a": {"$in": [1, [1e30]]}}, True),
        ({"$or": [{"a": -1e19}]}, True),
    ],
)
def test_only_floats_that_may_have_been_integers_are_huge(body: object, is_huge: bool) -> None:
    assert filters.has_huge_number(body) is is_huge


def test_what_makes_a_filter_slow_is_bounded_by_the_metadata_not_by_their_identities() -> None:
    wide = {"a": list(range(300_000)), "b": [[i] * 3 for i in range(50_000)]}
    started = time.thread_time()

    assert matches(parse_filter({"a": 299_999, "b": [[7, 7, 7], 1]} | {"$not": {"b": {"$contains": 7}}}), wide) is False
    assert matches(parse_filter({"b": [7, 7, 7]}), wide)
    assert time.thread_time() - started < 5
