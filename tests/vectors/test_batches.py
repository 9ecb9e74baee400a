from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_site.errors import InvalidInput
from vectors.batches import MAX_METADATA_DEPTH, Batch, has_huge_number, parse_batch
from vectors.distances import Distance
from vectors.fields import MAX_KEY_LENGTH


def parse(items: Any, distance: Distance = "euclidean") -> Batch:
    return parse_batch(items, 3, distance)


def faults(items: Any, distance: Distance = "euclidean") -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        parse(items, distance)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def b64(*numbers: float) -> str:
    return base64.b64encode(np.array(numbers, "<f4").tobytes()).decode()


def test_json_and_base64_vectors_mix_and_keep_their_places() -> None:
    batch = parse(
        [
            {"id": "a", "vector": [1, 2.5, -3]},
            {"id": "b", "vector_b64": b64(4, 5, 6), "metadata": {"x": [1, None]}},
            {"id": "c", "vector": [7, 8, 9], "metadata": {}},
        ]
    )

    assert batch.keys == ["a", "b", "c"]
    assert batch.vectors.tolist() == [[1, 2.5, -3], [4, 5, 6], [7, 8, 9]]
    assert batch.vectors.dtype == np.float32
    assert batch.metadata == [None, '{"x":[1,null]}', "{}"]


@pytest.mark.parametrize(
    ("vector", "place", "code"),
    [
        ([1, True, 3], "/items/0/vector/1", "type"),
        ([0, 2, False], "/items/0/vector/2", "type"),
        ([1, "1.0", 3], "/items/0/vector/1", "type"),
        ([1, None, 3], "/items/0/vector/1", "type"),
        ([1, [2], 3], "/items/0/vector/1", "type"),
        ([1, 2], "/items/0/vector", "dimension"),
        ([], "/items/0/vector", "dimension"),
        ("123", "/items/0/vector", "type"),
        (None, "/items/0/vector", "type"),
        ([1, 1e39, 3], "/items/0/vector", "not_finite"),
        ([1, float("nan"), 3], "/items/0/vector", "not_finite"),
        ([1, -float("inf"), 3], "/items/0/vector", "not_finite"),
        ([1, 10**4000, 3], "/items/0/vector/1", "not_finite"),
    ],
)
def test_a_bad_vector_is_named_by_its_place(vector: object, place: str, code: str) -> None:
    assert faults([{"id": "a", "vector": vector}]) == [(place, code)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b64(1, 2), "dimension"),
        ("not base64!", "base64"),
        (b64(1, 2, 3)[:-1], "base64"),
        (b64(1, float("nan"), 3), "not_finite"),
        (7, "type"),
    ],
)
def test_a_bad_base64_vector_is_named_by_its_place(text: object, code: str) -> None:
    assert faults([{"id": "a", "vector_b64": text}]) == [("/items/0/vector_b64", code)]


@pytest.mark.parametrize(
    ("item", "place", "code"),
    [
        (5, "/items/0", "type"),
        ({"vector": [1, 2, 3]}, "/items/0/id", "required"),
        ({"id": "", "vector": [1, 2, 3]}, "/items/0/id", "length"),
        ({"id": "x" * (MAX_KEY_LENGTH + 1), "vector": [1, 2, 3]}, "/items/0/id", "length"),
        ({"id": "a\0", "vector": [1, 2, 3]}, "/items/0/id", "nul"),
        ({"id": "a\ud800", "vector": [1, 2, 3]}, "/items/0/id", "surrogate"),
        ({"id": 1, "vector": [1, 2, 3]}, "/items/0/id", "type"),
        ({"id": "a"}, "/items/0/vector", "required"),
        ({"id": "a", "vector": [1, 2, 3], "vector_b64": b64(1, 2, 3)}, "/items/0", "ambiguous"),
        ({"id": "a", "vector": [1, 2, 3], "metadata": []}, "/items/0/metadata", "type"),
        ({"id": "a", "vector": [1, 2, 3], "metadata": "{}"}, "/items/0/metadata", "type"),
        ({"id": "a", "vector": [1, 2, 3], "metdata": {}}, "/items/0/metdata", "unknown_field"),
        ({"id": "a", "vector": [1, 2, 3], "a/b~": {}}, "/items/0/a~1b~0", "unknown_field"),
    ],
)
def test_a_bad_item_is_named_by_its_place(item: object, place: str, code: str) -> None:
    assert faults([item]) == [(place, code)]


def test_every_bad_item_is_named_in_order() -> None:
    items: list[Any] = [{"id": f"i{i}", "vector": [1, 2, 3]} for i in range(200)]
    items[3] = {"id": "x", "vector": [1, 1e300, 3]}
    items[17]["vector"] = [1, True, 3]
    items[150] = None
    items[151]["id"] = 9

    assert faults(items) == [
        ("/items/3/vector", "not_finite"),
        ("/items/17/vector/1", "type"),
        ("/items/150", "type"),
        ("/items/151/id", "type"),
    ]


def test_zero_vectors_are_refused_for_cosine_only() -> None:
    items = [
        {"id": "a", "vector": [0, 0, 0]},
        {"id": "b", "vector": [1e-60, 0, 0]},
        {"id": "c", "vector": [1e-40, 0, 0]},
    ]

    assert faults(items, "cosine") == [("/items/0/vector", "zero_vector"), ("/items/1/vector", "zero_vector")]
    assert len(parse(items, "dot")) == 3


METADATA = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab\0", max_size=2), inner, max_size=3),
        max_leaves=10,
    ),
)


@given(METADATA)
def test_metadata_come_back_as_they_were_sent(metadata: dict[str, Any]) -> None:
    text = parse([{"id": "a", "vector": [1, 2, 3], "metadata": metadata}]).metadata[0]

    assert orjson.loads(text or "") == metadata


def test_integers_beyond_64_bits_are_noticed_and_kept_when_parsed_exactly() -> None:
    raw = '{"n": 123456789012345678901234567890}'
    rounded = parse([{"id": "a", "vector": [1, 2, 3], "metadata": orjson.loads(raw)}])
    exact = parse([{"id": "a", "vector": [1, 2, 3], "metadata": json.loads(raw)}])

    assert has_huge_number(rounded)
    assert exact.metadata == ['{"n":123456789012345678901234567890}']


@pytest.mark.parametrize("number", [1.5, 2**63 - 1, 1e17, 123456.789, 1e-30])
def test_ordinary_numbers_do_not_cause_a_second_parse(number: float) -> None:
    assert not has_huge_number(parse([{"id": "a", "vector": [1, 2, 3], "metadata": {"n": number}}]))


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**300])
def test_any_integer_that_orjson_rounds_is_noticed(number: int) -> None:
    metadata = orjson.loads(f'{{"n": {number}}}')

    assert has_huge_number(parse([{"id": "a", "vector": [1, 2, 3], "metadata": metadata}]))


def nested(levels: int, innermost: object) -> Any:
    value = innermost
    for level in range(levels):
        value = {"a": value} if level % 2 or level == levels - 1 else [value]
    return value


@pytest.mark.parametrize("levels", [MAX_METADATA_DEPTH + 1, 5_000])
@pytest.mark.parametrize("innermost", [1, 3**80])
def test_metadata_nested_too_deeply_are_refused_with_their_place(levels: int, innermost: int) -> None:
    deep = nested(levels, innermost)

    assert faults([{"id": "a", "vector": [1, 2, 3], "metadata": deep}]) == [("/items/0/metadata", "too_deep")]


@pytest.mark.parametrize("innermost", [1, 3**80])
def test_metadata_nested_as_deeply_as_is_allowed_are_kept(innermost: int) -> None:
    deep = nested(MAX_METADATA_DEPTH, innermost)

    text = parse([{"id": "a", "vector": [1, 2, 3], "metadata": deep}]).metadata[0]

    assert json.loads(text or "") == deep
