from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillation import json_values
from distillation.json_values import InvalidJson, RepeatedKey, parse


@dataclass(frozen=True)
class Pairs:
    """An object by its members, some of them perhaps twice."""

    members: list[tuple[str, Any]]


TEXT = st.text(st.sampled_from('ab":\\ \n\té中{}[],'), max_size=5)
LEAF = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(st.tuples(TEXT, inner), max_size=4).map(lambda members: Pairs(members))
    ),
    max_leaves=10,
)
STYLE = st.tuples(st.booleans(), st.sampled_from(["", " ", "\t", "\r", "  "]), st.booleans())


def written(value: Any, style: tuple[bool, str, bool]) -> str:
    """Write JSON in one of many spellings."""
    is_ascii, blank, escapes_quotes = style
    if isinstance(value, Pairs):
        members = (f"{written(name, style)}{blank}:{blank}{written(member, style)}" for name, member in value.members)
        return f"{{{blank}{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(written(member, style) for member in value)}]"
    if isinstance(value, str) and escapes_quotes:
        return '"' + "\\u0022".join(json.dumps(part, ensure_ascii=is_ascii)[1:-1] for part in value.split('"')) + '"'
    return json.dumps(value, ensure_ascii=is_ascii)


def repeats(value: Any) -> bool:
    if isinstance(value, Pairs):
        names = [name for name, _ in value.members]
        return len(set(names)) < len(names) or any(repeats(member) for _, member in value.members)
    return isinstance(value, list) and any(repeats(member) for member in value)


@given(VALUE, STYLE)
def test_a_key_that_stands_twice_is_always_seen_and_none_is_imagined(value: Any, style: tuple[bool, str, bool]) -> None:
    raw = written(value, style).encode()

    if repeats(value):
        with pytest.raises(RepeatedKey):
            parse(raw)
    else:
        assert json.loads(parse(raw).canonical) == json.loads(raw)


@given(VALUE, STYLE, STYLE)
def test_spelling_does_not_change_canonical_json(
    value: Any, one: tuple[bool, str, bool], other: tuple[bool, str, bool]
) -> None:
    if not repeats(value):
        assert parse(written(value, one).encode()).canonical == parse(written(value, other).encode()).canonical


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_json_or_one_of_three_faults(raw: bytes) -> None:
    try:
        parsed = parse(raw)
    except (UnicodeDecodeError, RepeatedKey, InvalidJson):
        return
    assert parsed.value == json.loads(raw)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a":1,"\\u0061":2}',
        '{"x":[{"y":{"a":1,"b":2,"a":1}}]}',
        # Quotes that are spelled \\u0022 must not make up for those that were dropped.
        '{"category":"rejected","category":"accepted","x":"\\u0022\\u0022\\u0022\\u0022"}',
        '{"a" :1,"a"\t:2}',
        '{"a\\\\":1,"a\\\\":2}',
        '{"a\\"":1,"a\\"":2}',
    ],
)
def test_a_repeated_key_is_refused(text: str) -> None:
    with pytest.raises(RepeatedKey, match="stands twice"):
        parse(text.encode())


@pytest.mark.parametrize(
    "text",
    ["", "{", "{} {}", "NaN", "[Infinity]", "1e400", '"\\ud800"', "[" * 100_000, '{"a":' * 5_000, "{'a':1}", "[1,]"],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidJson):
        parse(text.encode())


def test_nesting_is_limited_and_the_limit_itself_is_allowed() -> None:
    deepest = json_values.MAX_DEPTH

    assert parse(b"[" * deepest + b"]" * deepest)
    with pytest.raises(InvalidJson, match="nested deeper"):
        parse(b"[" * (deepest + 1) + b"]" * (deepest + 1))


@pytest.mark.parametrize("number", ["18446744073709551616", "-9223372036854775809", "1" * 100])
def test_long_integers_keep_their_digits(number: str) -> None:
    parsed = parse(f'{{"b":{number},"a":1e300}}'.encode())

    assert parsed.value == {"a": 1e300, "b": int(number)}
    assert number.encode() in parsed.canonical


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a":1,"b":2}', '{ "b" : 2, "a" : 1 }', True),
        ('["\\u00e9"]', '["é"]', True),
        ("[0.50]", "[5e-1]", True),
        ("[1]", "[1.0]", False),
        ('["é"]', '["e\u0301"]', False),
        ("[1e22]", "[10000000000000000000000]", False),
    ],
)
def test_what_is_the_same_content(one: str, other: str, same: bool) -> None:
    assert (parse(one.encode()).canonical == parse(other.encode()).canonical) is same
