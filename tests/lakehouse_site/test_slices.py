from __future__ import annotations

import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_site import http

# What could mislead a cut between two objects: braces and commas in strings, nested arrays of objects, white space.
TEXTS = st.sampled_from(["},{", '},\n{"', "} , {", '"', "\\", "]}", "é", "", "[{", '\\"},{\\"'])
VALUES = st.recursive(
    TEXTS | st.integers(-5, 5) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_SLICE_BYTES", 12)


@pytest.mark.parametrize("indent", [None, 2])
@given(items=st.lists(VALUES | st.dictionaries(TEXTS, VALUES, max_size=3), max_size=12))
def test_a_body_parsed_in_slices_is_the_body_parsed_at_once(items: list[Any], indent: int | None) -> None:
    body = json.dumps({"items": items}, indent=indent).encode()

    assert http.loads(body) == {"items": items}


@given(
    items=st.lists(VALUES, max_size=8),
    cut=st.integers(0, 400),
    junk=st.sampled_from(["", "}", "]", ",", '"', "{", "x"]),
)
def test_what_is_no_json_at_once_is_none_in_slices(items: list[Any], cut: int, junk: str) -> None:
    text = json.dumps({"items": items})
    body = (text[: cut % len(text)] + junk + text[cut % len(text) :]).encode()
    try:
        expected = orjson.loads(body)
    except orjson.JSONDecodeError:
        with pytest.raises(orjson.JSONDecodeError):
            http.loads(body)
    else:
        assert http.loads(body) == expected


def test_other_fields_beside_the_items_are_kept() -> None:
    body = b'{"items": [{"id": "aaaaaaaaaaaaaaaa"}, {"id": "b"}], "more": [{"x": 1}, {"y": 2}]}'

    assert http.loads(body) == orjson.loads(body)


def test_a_long_body_is_really_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    parse = orjson.loads

    def note_size(text: bytes) -> Any:
        sizes.append(len(text))
        return parse(text)

    monkeypatch.setattr(orjson, "loads", note_size)
    generator = random.Random(1)
    items = [{"id": str(i), "vector": [generator.random() for _ in range(3)]} for i in range(50)]

    assert http.loads(json.dumps({"items": items}).encode()) == {"items": items}
    assert len(sizes) > 20
    assert max(sizes) < 200
