from __future__ import annotations

from typing import Any

import pytest

from lakehouse_site.errors import InvalidInput, TooLarge
from vectors import queries, validation
from vectors.filters import Condition
from vectors.queries import MAX_K
from vectors.validation import Merge, NewIndex


def faults(parse: Any, *arguments: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        parse(*arguments)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def test_a_new_index_has_the_documented_defaults() -> None:
    assert validation.parse_new_index({"name": "a", "dimension": 3}) == NewIndex("a", 3, "cosine", 16, 200, 64)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("/name", "required"), ("/dimension", "required")]),
        ([], [("", "type")]),
        (None, [("", "type")]),
        ({"name": "", "dimension": 3}, [("/name", "name")]),
        ({"name": "-a", "dimension": 3}, [("/name", "name")]),
        ({"name": "a b", "dimension": 3}, [("/name", "name")]),
        ({"name": "a/b", "dimension": 3}, [("/name", "name")]),
        ({"name": "a\n", "dimension": 3}, [("/name", "name")]),
        ({"name": "é", "dimension": 3}, [("/name", "name")]),
        ({"name": "a" * 129, "dimension": 3}, [("/name", "name")]),
        ({"name": 7, "dimension": 3}, [("/name", "type")]),
        ({"name": "a", "dimension": 0}, [("/dimension", "range")]),
        ({"name": "a", "dimension": 10**40}, [("/dimension", "range")]),
        ({"name": "a", "dimension": True}, [("/dimension", "type")]),
        ({"name": "a", "dimension": 3.0}, [("/dimension", "type")]),
        ({"name": "a", "dimension": "3"}, [("/dimension", "type")]),
        ({"name": "a", "dimension": 3, "distance": "l2"}, [("/distance", "choice")]),
        ({"name": "a", "dimension": 3, "m": 1, "ef_search": 0}, [("/m", "range"), ("/ef_search", "range")]),
        ({"name": "a", "dimension": 3, "metric": "dot"}, [("/metric", "unknown_field")]),
    ],
)
def test_every_fault_of_a_new_index_is_named(body: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(validation.parse_new_index, body) == expected


@pytest.mark.parametrize("name", ["a", "9", "A.b_c-d", "a" * 128])
def test_names_that_are_allowed(name: str) -> None:
    assert validation.parse_new_index({"name": name, "dimension": 1}).name == name


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("/vector", "required")]),
        ({"vector": [1, 2], "id": "a"}, [("/id", "ambiguous")]),
        ({"vector": [1, 2, 3]}, [("/vector", "dimension")]),
        ({"vector": [1, True]}, [("/vector/1", "type")]),
        ({"vector": [0, 0]}, [("/vector", "zero_vector")]),
        ({"vector": 3}, [("/vector", "type")]),
        ({"vectors": []}, [("/vectors", "type")]),
        ({"vectors": {}}, [("/vectors", "type")]),
        ({"vectors_b64": "AAAA"}, [("/vectors_b64", "type")]),
        (
            {"vectors_b64": ["AACAPwAAgD8=", "AACAPw==", 1]},
            [("/vectors_b64/1", "dimension"), ("/vectors_b64/2", "type")],
        ),
        ({"vectors": [[1, 2]], "vectors_b64": ["AACAPwAAgD8="]}, [("/vectors_b64", "ambiguous")]),
        ({"vectors": [[1, 2], [1], [1, None]]}, [("/vectors/1", "dimension"), ("/vectors/2/1", "type")]),
        ({"vectors": [[1, 2]] * 1001}, [("/vectors", "too_many")]),
        ({"vectors": [[1, 2]] * 101, "k": 1000}, [("/vectors", "too_many")]),
        ({"vector_b64": "AAAA"}, [("/vector_b64", "dimension")]),
        ({"id": ""}, [("/id", "length")]),
        ({"id": 4}, [("/id", "type")]),
        ({"vector": [1, 2], "k": 0}, [("/k", "range")]),
        ({"vector": [1, 2], "k": MAX_K + 1}, [("/k", "range")]),
        ({"vector": [1, 2], "k": True}, [("/k", "type")]),
        ({"vector": [1, 2], "exact": 1}, [("/exact", "type")]),
        ({"vector": [1, 2], "include": ["vectors"]}, [("/include", "choice")]),
        ({"vector": [1, 2], "include": "vector"}, [("/include", "choice")]),
        ({"vector": [1, 2], "max_distance": "1"}, [("/max_distance", "type")]),
        ({"vector": [1, 2], "top_k": 3}, [("/top_k", "unknown_field")]),
    ],
)
def test_every_fault_of_a_search_is_named(body: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(queries.parse_search, body, 2, "cosine") == expected


def test_a_search_without_options_has_the_documented_defaults() -> None:
    query = queries.parse_search({"vector": [1, 2]}, 2, "cosine")

    assert (query.k, query.exact, query.include, query.max_distance, query.is_batch) == (
        10,
        False,
        frozenset({"metadata"}),
        None,
        False,
    )


def test_null_options_count_as_absent() -> None:
    body = {"vector": [1, 2], "k": None, "exact": None, "include": None, "max_distance": None, "id": None}

    assert queries.parse_search(body, 2, "cosine").k == 10


def test_more_items_than_a_batch_may_have_are_too_large() -> None:
    body = {"items": [{"id": str(i), "vector": [1]} for i in range(4)]}

    assert len(validation.parse_add(body, 1, "dot", max_items=4)) == 4
    with pytest.raises(TooLarge, match="LAKEHOUSE_MAX_BATCH_ITEMS"):
        validation.parse_add(body, 1, "dot", max_items=3)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("/items", "required")]),
        ({"items": None}, [("/items", "required")]),
        ({"items": {}}, [("/items", "type")]),
        ({"items": [], "item": []}, [("/item", "unknown_field")]),
    ],
)
def test_every_fault_of_an_add_is_named(body: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(validation.parse_add, body, 1, "dot", 10) == expected


def test_ids_to_fetch_are_taken_once_and_in_order() -> None:
    keys, include = validation.parse_fetch({"ids": ["b", "a", "b"]}, 10)

    assert (keys, include) == (["b", "a"], frozenset({"metadata", "vector"}))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("/ids", "required")]),
        ({"ids": "a"}, [("/ids", "type")]),
        ({"ids": ["a", 1, "\0"]}, [("/ids/1", "type"), ("/ids/2", "nul")]),
    ],
)
def test_every_fault_of_ids_is_named(body: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(validation.parse_delete, body, 10) == expected


def test_more_ids_than_a_batch_may_have_are_too_large() -> None:
    with pytest.raises(TooLarge, match="LAKEHOUSE_MAX_BATCH_ITEMS"):
        validation.parse_delete({"ids": [str(i) for i in range(11)]}, 10)


def test_a_merge_has_the_documented_defaults() -> None:
    assert validation.parse_merge({"dest": "b"}) == Merge("b", False, "skip", False)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("/dest", "required")]),
        ({"dest": "b", "clear_source": "yes"}, [("/clear_source", "type")]),
        ({"dest": "b", "on_conflict": "replace"}, [("/on_conflict", "choice")]),
        ({"dest": "b", "dryrun": True}, [("/dryrun", "unknown_field")]),
    ],
)
def test_every_fault_of_a_merge_is_named(body: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(validation.parse_merge, body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"vector": [1]}, [("/indexes", "type")]),
        ({"indexes": [], "vector": [1]}, [("/indexes", "type")]),
        ({"indexes": ["a", 1], "vector": [1]}, [("/indexes", "type")]),
        ({"indexes": ["a", "b", "c"], "vector": [1]}, [("/indexes", "too_many")]),
    ],
)
def test_every_fault_of_the_names_of_a_multi_search_is_named(body: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(queries.parse_multi_search, body, 2) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("/ids", "required")]),
        ({"ids": ["a"], "filter": {"a": 1}}, [("/filter", "ambiguous")]),
        ({"filter": {}}, [("/filter", "empty")]),
        ({"filter": {"$and": [{}, {"$not": {}}]}}, [("/filter", "empty")]),
        ({"filter": []}, [("/filter", "type")]),
        ({"filter": {"a": {"$like": 1}}}, [("/filter/a/$like", "operator")]),
        ({"filter": None}, [("/ids", "required")]),
        ({"filter": {"a": 1}, "where": 1}, [("/where", "unknown_field")]),
    ],
)
def test_a_deletion_says_what_goes(body: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(validation.parse_delete, body, 10) == expected


def test_a_deletion_is_by_ids_or_by_filter() -> None:
    assert validation.parse_delete({"ids": ["a", "b", "a"], "filter": None}, 10) == ["a", "b"]
    wanted = validation.parse_delete({"ids": None, "filter": {"a": 1}}, 10)
    assert isinstance(wanted, Condition)
    assert (wanted.path, wanted.operand) == ("a", 1)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"filter": 1}, [("/filter", "type")]),
        ({"filter": {"$x": 1}}, [("/filter/$x", "operator")]),
        ({"ids": []}, [("/ids", "unknown_field")]),
        ([], [("", "type")]),
    ],
)
def test_a_count_takes_a_filter_and_nothing_else(body: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(validation.parse_count, body) == expected


def test_a_count_without_a_filter_is_of_all_items() -> None:
    assert validation.parse_count({}) is None
    assert validation.parse_count({"filter": None}) is None
    assert validation.parse_count({"filter": {}}) is not None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("/items", "required")]),
        ({"items": {}}, [("/items", "type")]),
        ({"items": [{"id": "a", "metadata": 1}]}, [("/items/0/metadata", "type")]),
        ({"items": [], "upsert": True}, [("/upsert", "unknown_field")]),
    ],
)
def test_a_patch_names_items_and_changes(body: Any, expected: list[tuple[str, str]]) -> None:
    assert faults(validation.parse_patch, body, 10) == expected


def test_a_patch_has_no_more_items_than_any_batch() -> None:
    with pytest.raises(TooLarge):
        validation.parse_patch({"items": [{"id": f"{i}", "metadata": {}} for i in range(11)]}, 10)


@pytest.mark.parametrize(
    ("mmr", "expected"),
    [
        (1, [("/mmr", "type")]),
        ({"lambda": 1.5}, [("/mmr/lambda", "range")]),
        ({"lambda": -0.1}, [("/mmr/lambda", "range")]),
        ({"lambda": "1"}, [("/mmr/lambda", "type")]),
        ({"lambda": True}, [("/mmr/lambda", "type")]),
        ({"fetch_k": 4}, [("/mmr/fetch_k", "range")]),
        ({"fetch_k": MAX_K + 1}, [("/mmr/fetch_k", "range")]),
        ({"k": 4}, [("/mmr/k", "unknown_field")]),
    ],
)
def test_every_fault_of_diversity_is_named(mmr: Any, expected: list[tuple[str, str]]) -> None:
    body = {"vector": [1, 2], "k": 5, "mmr": mmr}

    assert faults(queries.parse_search, body, 2, "cosine") == expected


def test_diversity_has_the_documented_defaults() -> None:
    def parsed(k: int, mmr: Any) -> queries.Mmr | None:
        return queries.parse_search({"vector": [1, 2], "k": k, "mmr": mmr}, 2, "cosine").mmr

    assert parsed(5, None) is None
    assert parsed(5, {}) == queries.Mmr(0.5, 50)
    assert parsed(100, {}) == queries.Mmr(0.5, 400)
    assert parsed(MAX_K, {"lambda": 0}) == queries.Mmr(0.0, MAX_K)
    assert parsed(5, {"lambda": 1, "fetch_k": 5}) == queries.Mmr(1.0, 5)


def test_diversity_is_for_one_query_in_one_index() -> None:
    assert faults(queries.parse_search, {"vectors": [[1, 2]], "mmr": {}}, 2, "cosine") == [("/mmr", "ambiguous")]
    body = {"indexes": ["a"], "vector": [1, 2], "mmr": {}}
    assert faults(queries.parse_multi_search, body, 5) == [("/mmr", "unknown_field")]


def test_faults_of_a_filter_stand_beside_the_others() -> None:
    body = {"vector": [1, 2], "k": 0, "filter": {"a": {"$gt": None}, "$x": 1}}

    found = faults(queries.parse_search, body, 2, "cosine")

    assert found == [("/k", "range"), ("/filter/a/$gt", "operand"), ("/filter/$x", "operator")]
