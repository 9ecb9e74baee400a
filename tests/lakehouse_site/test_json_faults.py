from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_site.json_faults import MAX_FAULTS, json_faults


def _places(body: bytes) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in json_faults(body, "reason")]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        (b"NaN", [("", "not_finite")]),
        (b'{"v": [{"w": [1, NaN, 2, -Infinity]}]}', [("/v/0/w/1", "not_finite"), ("/v/0/w/3", "not_finite")]),
        (b'{"k": 1e400}', [("/k", "not_finite")]),
        (b'{"id": "\\ud800"}', [("/id", "lone_surrogate")]),
        (b'{"a/b~c": "\\udfff"}', [("/a~1b~0c", "lone_surrogate")]),
        (b'{"\\ud800": 1}', [("/\ud800", "lone_surrogate")]),
        (b'["\\ud83d\\ude00", NaN]', [("/1", "not_finite")]),  # a whole pair is a character
        (b"", [("", "empty_body")]),
        (b" \n", [("", "empty_body")]),
        (b"{", [("", "invalid_json")]),
        (b"\xff\xfe", [("", "invalid_json")]),
        (b"[" * 100_000, [("", "invalid_json")]),
        (b"1" * 5_000, [("", "invalid_json")]),
        (b"\xef\xbb\xbf{}", [("", "invalid_json")]),
    ],
)  # fmt: skip
def test_every_fault_is_named_by_its_place(body: bytes, places: list[tuple[str, str]]) -> None:
    assert _places(body) == places


def test_the_strict_parsers_reason_is_the_answer_when_nothing_better_is_found() -> None:
    assert "line 3 column 9" in json_faults(b"{,", "unexpected character: line 3 column 9")[0].detail


def test_the_number_of_faults_is_limited() -> None:
    assert len(json_faults(b"[" + b"NaN," * (MAX_FAULTS * 3) + b"1]", "reason")) == MAX_FAULTS


def _count_nonfinite(value: Any) -> int:
    if isinstance(value, float):
        return int(not math.isfinite(value))
    if isinstance(value, dict):
        return sum(map(_count_nonfinite, value.values()))
    return sum(map(_count_nonfinite, value)) if isinstance(value, list) else 0


_texts = st.text(st.characters(codec="utf-8"), max_size=5)
_documents = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-10, 10) | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=20,
)


@given(_documents)
def test_every_non_finite_number_is_found_and_its_pointer_leads_to_it(document: Any) -> None:
    expected = _count_nonfinite(document)
    faults = [fault for fault in json_faults(json.dumps(document).encode(), "reason") if fault.code == "not_finite"]

    assert len(faults) == expected
    for fault in faults:
        place = document
        for step in fault.pointer.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            place = place[int(step)] if isinstance(place, list) else place[step]
        assert not math.isfinite(place)


@given(st.binary(max_size=60))
def test_whatever_orjson_refuses_has_at_least_one_fault(body: bytes) -> None:
    refused = False
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        refused = True

    assert not refused or json_faults(body, "reason")
