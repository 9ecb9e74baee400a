"""Vectors and items as they are sent, and the batches they are sent in."""

from __future__ import annotations

import base64
import json
import math
from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_client import BadArgument, InvalidInput, Item
from lakehouse_client.batching import batches, send_batches
from lakehouse_client.encoding import body_of, id_list, item_text, pack, to_json, vector_text
from lakehouse_client.errors import Fault

VALUES = [0.1, -0.0, 1e-45, 3.4e38, 123456.789]


def unpack(text: str) -> list[float]:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").tolist()


@pytest.mark.parametrize(
    "vector",
    [
        VALUES,
        tuple(VALUES),
        array("d", VALUES),
        np.array(VALUES),
        np.array(VALUES, np.float32),
        np.array(VALUES, ">f4"),
        np.array([VALUES, VALUES]).T[:, 1],
        [np.float32(value) for value in VALUES],
    ],
    ids=["list", "tuple", "array", "float64", "float32", "big-endian", "strided", "scalars"],
)
def test_every_kind_of_vector_is_sent_as_the_nearest_float32(vector: Any) -> None:
    assert unpack(pack(vector)) == np.array(VALUES, np.float32).tolist()


def test_integers_are_numbers() -> None:
    assert unpack(pack([1, 2])) == unpack(pack(np.array([1, 2], np.int8))) == [1.0, 2.0]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20))
def test_lists_arrays_and_json_agree(vector: list[float]) -> None:
    assert pack(vector) == pack(np.array(vector, np.float64))
    assert unpack(json.loads(vector_text(vector, "vector"))) == vector


def test_what_float32_cannot_hold_is_left_for_the_server_to_name() -> None:
    assert unpack(pack([1e39])) == unpack(pack(np.array([1e39]))) == [math.inf]


NO_VECTORS: list[Any] = [
    *("abc", b"abcd", bytearray(4), {"a": 1}, [[1.0]], ["1"], [None], 7, [10**400], np.float32(1)),
    *(np.zeros((2, 2)), np.array(["1"]), np.array([1j]), np.array([True]), np.array([1.0], object)),
]


@pytest.mark.parametrize("vector", NO_VECTORS)
def test_what_is_no_vector_is_refused_with_its_place(vector: Any) -> None:
    with pytest.raises(BadArgument, match=r"^items\[3\] \(id 'a'\)\.vector "):
        item_text(Item("a", vector), 3)


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, b"a", np.float32(1), LOOP], ids=str)
def test_metadata_without_a_json_form_is_refused_with_its_place(value: Any) -> None:
    with pytest.raises(BadArgument, match=r"^items\[3\] \(id 'a'\)\.metadata has no JSON form"):
        item_text(Item("a", [1.0], {"deep": [value]}), 3)


def test_metadata_that_is_nested_without_end_is_refused() -> None:
    nested: Any = []
    for _ in range(200_000):
        nested = [nested]

    with pytest.raises(BadArgument, match="has no JSON form"):
        to_json({"a": nested}, "metadata")


def test_an_item_may_be_a_dict() -> None:
    sent = json.loads(item_text({"id": "é\ud800", "vector": [1.0], "metadata": {"n": 10**30}}, 0))

    assert sent == {"id": "é\ud800", "vector_b64": pack([1.0]), "metadata": {"n": 10**30}}
    assert "metadata" not in json.loads(item_text(Item("a", [1.0]), 0))


@pytest.mark.parametrize("item", [("a", [1.0]), "a", None, {"id": "a", "vektor": [1.0]}, {"id": "a"}, Item("a")])
def test_what_is_no_item_is_refused(item: Any) -> None:
    with pytest.raises(BadArgument, match=r"^items\[5\]"):
        item_text(item, 5)


def test_ids_are_sent_once_and_one_string_is_no_list() -> None:
    assert id_list(["b", "a", "b"]) == ["b", "a"]
    for wrong in ("abc", b"abc", [1]):
        with pytest.raises(BadArgument, match="ids"):
            id_list(wrong)  # type: ignore[arg-type]


def test_none_counts_as_absent_in_a_body() -> None:
    assert json.loads(body_of({"k": 3, "filter": None}, {"mmr": 0.5})) == {"k": 3, "mmr": 0.5}
    assert body_of({}) == b"{}"


def cut(count: int, *, batch_items: int = 10, batch_bytes: int = 10_000) -> Iterator[list[str]]:
    return batches(range(count), lambda value, position: str(value), batch_items=batch_items, batch_bytes=batch_bytes)


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 40))
def test_batches_hold_everything_in_order_within_their_limits(count: int, items: int, size: int) -> None:
    found = list(cut(count, batch_items=items, batch_bytes=size))

    assert [one for batch in found for one in batch] == list(map(str, range(count)))
    assert all(len(batch) <= items for batch in found)
    assert all(len(",".join(batch)) <= size or len(batch) == 1 for batch in found)
    assert found == [[]] or all(found)


def test_a_limit_that_lets_nothing_through_is_refused() -> None:
    with pytest.raises(BadArgument):
        next(cut(1, batch_items=0))


def test_errors_speak_of_places_in_the_whole_list() -> None:
    faults = (Fault("/items/2/vector", "dimension", "No."), Fault("/other", "x", "No."))

    def send(body: bytes) -> object:
        if json.loads(body)["items"][0] < 10:
            return "first"
        raise InvalidInput(400, "invalid_input", "T", "/items/2/vector: No.", "r", faults, None, "POST /add")

    sent = send_batches(cut(25), send, "items")

    assert next(sent) == "first"
    with pytest.raises(InvalidInput) as caught:
        next(sent)
    assert [fault.pointer for fault in caught.value.errors] == ["/items/12/vector", "/other"]
    assert caught.value.detail == "/items/12/vector: No."
    assert caught.value.items_done == 10


def test_no_more_is_read_than_is_sent() -> None:
    read: list[int] = []

    def values() -> Iterator[int]:
        for value in range(1_000_000):
            read.append(value)
            yield value

    sent = send_batches(batches(values(), lambda v, p: str(v), batch_items=5, batch_bytes=99), bytes, "ids", b'{"a":1}')

    assert next(sent) == b'{"ids":[0,1,2,3,4],"a":1}'
    assert len(read) == 6
