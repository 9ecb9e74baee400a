from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.durations import MAX_DAYS, in_words, parse_duration
from lakehouse_site.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("7d", timedelta(days=7)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("45s", timedelta(seconds=45)),
        ("0", timedelta(0)),
    ],
)
def test_spans_are_read(text: str, span: timedelta) -> None:
    assert parse_duration(text, name="--older-than") == span


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1.5d", "7 d", "7days", "٣d", "9999999d", f"{MAX_DAYS + 1}d"])
def test_what_is_no_span_is_refused_with_the_name_of_the_option(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_duration(text, name="--older-than")

    assert caught.value.faults[0].pointer == "--older-than"


@given(st.integers(0, 999_999))
def test_words_mean_the_same_span(seconds: int) -> None:
    span = timedelta(seconds=seconds)

    assert parse_duration(in_words(span), name="x") == span
