from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_site.errors import InvalidInput, TooLarge
from vectors.patches import members_of, parse_patches, patched

LIMIT = 10_000
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=5)


def patch(text: str | None, changes: dict[str, Any], max_bytes: int = LIMIT) -> str | None:
    (parsed,) = parse_patches([{"id": "a", "metadata": changes}])
    return patched(text, parsed.changes, max_bytes)


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ('{"a":1}', {"b": 2}, '{"a":1,"b":2}'),
        ('{"a":1,"b":2}', {"a": None}, '{"b":2}'),
        ('{"a":1}', {"a": None}, "{}"),
        ('{"a":1,"b":2}', {"a": [3]}, '{"a":[3],"b":2}'),
        ('{"a":{"x":1}}', {"a": {"y": None}}, '{"a":{"y":null}}'),
        (None, {"a": 1}, '{"a":1}'),
        ("{}", {"a": ""}, '{"a":""}'),
        ('{"\\u0000":"\\u0000"}', {"\0": 1}, '{"\\u0000":1}'),
        ('{"n":1}', {"n": 10**40}, '{"n":1' + "0" * 40 + "}"),
        # A key that stands twice counts as the last one, and stands once afterwards.
        ('{"a":1,"a":2}', {"b": 3}, '{"a":2,"b":3}'),
    ],
)
def test_keys_change_and_go(before: str | None, changes: dict[str, Any], after: str) -> None:
    assert patch(before, changes) == after


def test_what_is_not_named_is_kept_to_the_letter() -> None:
    kept = (
        '"price" : 1.50 ,"big":123456789012345678901234567890, "é":"\\u00e9\\u0000", "f":1E300,"z":-0.0,"l":[ 1 , "}" ]'
    )
    before = '{ "old":1, ' + kept + " }"

    after = patch(before, {"old": None, "new": True})

    assert after is not None
    for member in ("1.50", "123456789012345678901234567890", '"é":"\\u00e9\\u0000"', "1E300", "-0.0", '[ 1 , "}" ]'):
        assert member in after
    assert json.loads(after) == {**json.loads("{" + kept + "}"), "new": True}


def test_integers_no_parser_would_take_are_kept() -> None:
    digits = "7" * 6_000

    assert patch(f'{{"n":{digits},"f":1e999}}', {"a": 1}) == f'{{"n":{digits},"f":1e999,"a":1}}'


@pytest.mark.parametrize("text", [None, "{}", '{"a": 1.0, "b" :[ ]}'])
def test_changes_that_change_nothing_leave_the_very_text(text: str | None) -> None:
    assert patch(text, {}) == text
    assert patch(text, {"absent": None}) == text
    assert patch(text, {"a": 1.0, "c": None} if text and "a" in text else {}) == text


def test_metadata_grow_to_a_limit_and_can_shrink_beyond_it() -> None:
    before = patch(None, {"a": "é" * 100})

    with pytest.raises(TooLarge, match="300 bytes"):
        patch(before, {"b": "é" * 100}, max_bytes=300)
    assert patch(before, {"b": "é" * 40}, max_bytes=300) is not None
    assert patch(before, {"a": "é" * 90}, max_bytes=10) is not None


@pytest.mark.parametrize(
    ("items", "faults"),
    [
        ([1], [("/items/0", "type")]),
        ([{"id": "a"}], [("/items/0/metadata", "type")]),
        ([{"id": "a", "metadata": None}], [("/items/0/metadata", "type")]),
        ([{"id": "a", "metadata": [1]}], [("/items/0/metadata", "type")]),
        ([{"metadata": {}}], [("/items/0/id", "type")]),
        ([{"id": "", "metadata": {}}], [("/items/0/id", "length")]),
        ([{"id": "a\0", "metadata": {}}], [("/items/0/id", "nul")]),
        ([{"id": "a", "metadata": {}, "vector": [1]}], [("/items/0/vector", "unknown_field")]),
        ([{"id": "a", "metadata": {"x": "\ud800"}}], [("/items/0/metadata", "not_json")]),
        (
            [{"id": 1, "metadata": {}}, {"id": "a", "metadata": {}}, {"id": "b", "metadata": 1}],
            [("/items/0/id", "type"), ("/items/2/metadata", "type")],
        ),
    ],
)
def test_every_bad_item_is_named(items: list[object], faults: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_patches(items)

    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == faults


def test_metadata_nested_too_deeply_are_refused() -> None:
    value: Any = 1
    for _ in range(300):
        value = [value]

    with pytest.raises(InvalidInput) as caught:
        parse_patches([{"id": "a", "metadata": {"x": value}}])
    assert [fault.code for fault in caught.value.faults] == ["too_deep"]


@given(OBJECTS, st.sampled_from([None, 2]))
def test_any_object_is_taken_apart_into_what_it_was(value: dict[str, Any], indent: int | None) -> None:
    for is_ascii in (True, False):
        text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)

        members = members_of(text)

        assert {key: json.loads(member.value) for key, member in members.items()} == value
        assert [json.loads(member.name) for member in members.values()] == list(value)


@given(OBJECTS, OBJECTS)
def test_a_patch_does_what_it_does_to_a_dictionary(before: dict[str, Any], changes: dict[str, Any]) -> None:
    after = patch(json.dumps(before), changes, max_bytes=10**9)

    expected = {**before, **changes}
    assert after is not None
    assert json.loads(after) == {key: value for key, value in expected.items() if changes.get(key, 0) is not None}
