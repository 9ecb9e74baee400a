from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.monitor_fields import FIELDS, parse_monitor
from lakehouse_site.errors import InvalidInput

GOOD: dict[str, Any] = {"name": "m", "target": "scores", "window_seconds": 3600}
INDEX = {**GOOD, "target": "vector_index", "selection": {"index": "docs"}}
HOOK = {"kind": "webhook", "address": "https://example.org/hook"}


def pointers(body: object) -> set[str]:
    with pytest.raises(InvalidInput) as caught:
        parse_monitor(body)
    return {fault.pointer for fault in caught.value.faults}


def test_what_is_not_said_has_a_default() -> None:
    fields = parse_monitor(GOOD)

    assert (fields.min_n, fields.consecutive, fields.cooldown_seconds) == (30, 1, 0)
    assert (fields.reference, fields.interval_seconds) == ("rolling", 3600)
    assert fields.parameters == {"buckets": 10, "binning": "equal_width"}
    assert fields.channels == [{"kind": "log", "address": ""}]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "a\0"}, "/name"),
        ({"target": "mood"}, "/target"),
        ({"window_seconds": 0}, "/window_seconds"),
        ({"window_seconds": True}, "/window_seconds"),
        ({"min_n": 1}, "/min_n"),
        ({"colour": "red"}, "/colour"),
        ({"reference": "fixed"}, "/reference_start"),
        ({"reference_start": "2026-01-01T00:00:00Z"}, "/reference_start"),
        ({"first_window_end": "2026-01-01T00:00:00"}, "/first_window_end"),
        ({"selection": {"index": "docs"}}, "/selection/index"),
        ({"parameters": {"buckets": 1}}, "/parameters/buckets"),
        ({"parameters": {"epsilon": 0.02}}, "/parameters/epsilon"),
        ({"parameters": []}, "/parameters"),
        ({"channels": [{"kind": "pigeon"}]}, "/channels/0/kind"),
        ({"channels": [HOOK]}, "/webhook_secret"),
        ({"channels": [{"kind": "webhook", "address": "ftp://x"}], "webhook_secret": "s" * 16}, "/channels/0/address"),
        ({"channels": [{"kind": "webhook", "address": "http://u:p@x"}]}, "/channels/0/address"),
        ({"channels": [{"kind": "email", "address": "a@b\nBcc: c"}]}, "/channels/0/address"),
        ({"channels": [{"kind": "log"}, {"kind": "log"}]}, "/channels"),
    ],
)
def test_a_fault_is_named_with_its_place(changes: dict[str, Any], pointer: str) -> None:
    assert pointer in pointers({**GOOD, **changes})


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"selection": {}}, "/selection/index"),
        ({"reference": "rolling"}, "/reference"),
        ({"parameters": {"rows": 10**6}}, "/parameters/rows"),
    ],
)
def test_a_fault_of_an_index_is_named_with_its_place(changes: dict[str, Any], pointer: str) -> None:
    assert pointer in pointers({**INDEX, **changes})


def test_the_thresholds_of_an_audit_have_an_order() -> None:
    body = {**GOOD, "target": "export_figures", "selection": {"kind": "sft"}}

    assert parse_monitor({**body, "parameters": {"warn": 0.2}}).parameters == {"warn": 0.2}
    assert pointers({**body, "parameters": {"warn": 0.3}}) == {"/parameters/alert"}
    assert pointers({**body, "parameters": {"directions": {"rows": "up"}}}) == {"/parameters/directions"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(body=json_values | st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_whatever_comes_it_is_a_monitor_or_a_named_fault(body: Any) -> None:
    try:
        found: object = parse_monitor(body).name
    except InvalidInput as error:
        found = error.faults

    assert found == body["name"] if isinstance(found, str) else found
