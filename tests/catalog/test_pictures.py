from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.pictures import HEIGHT, LEFT, TOP, WIDTH, growth

AT = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.lists(st.integers(0, 2**63 - 1), max_size=70), st.sampled_from([1000, 1024]))
def test_every_mark_lies_in_the_picture_and_higher_is_more(values: list[int], base: int) -> None:
    line = growth([(AT, value) for value in values], str, base=base)

    assert all(LEFT <= mark.x <= LEFT + WIDTH and TOP <= mark.y <= TOP + HEIGHT for mark in line.marks)
    assert [mark.y for mark in sorted(line.marks, key=lambda one: int(one.text))] == sorted(
        (mark.y for mark in line.marks), reverse=True
    )
    assert [tick.y for tick in line.ticks] == [TOP + HEIGHT, TOP + HEIGHT / 2, TOP]


@pytest.mark.parametrize(
    ("highest", "base", "texts"),
    [
        (0, 1000, ["0", "1", "2"]),
        (16_429, 1000, ["0", "10000", "20000"]),
        (110 * 1024, 1024, ["0", str(100 * 1024), str(200 * 1024)]),
        (1024, 1024, ["0", "1024", "2048"]),
    ],
)
def test_the_scale_ends_at_a_round_number(highest: int, base: int, texts: list[str]) -> None:
    assert [tick.text for tick in growth([(AT, highest)], str, base=base).ticks] == texts
