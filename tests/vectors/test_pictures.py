from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vectors.pictures import LEFT, LINE_HEIGHT, LINE_WIDTH, MAP_HEIGHT, MAP_WIDTH, TOP, recall_line, scatter

START = datetime(2026, 1, 1, tzinfo=UTC)


def days(*recalls: float) -> list[tuple[datetime, float]]:
    return [(START + timedelta(days=number), recall) for number, recall in enumerate(recalls)]


@given(st.lists(st.floats(0, 1), max_size=20))
def test_every_measurement_is_within_the_picture(recalls: list[float]) -> None:
    line = recall_line(days(*recalls), 0.95)

    assert [mark.recall for mark in line.marks] == recalls
    assert all(LEFT <= mark.x <= LEFT + LINE_WIDTH and TOP <= mark.y <= TOP + LINE_HEIGHT for mark in line.marks)
    assert [mark.is_low for mark in line.marks] == [recall < 0.95 for recall in recalls]
    assert [mark.y > line.limit_y for mark in line.marks if abs(mark.recall - 0.95) > 0.01] == [
        recall < 0.95 for recall in recalls if abs(recall - 0.95) > 0.01
    ]


def test_the_scale_ends_at_one_and_begins_below_what_is_shown() -> None:
    assert [tick.text for tick in recall_line(days(1.0, 0.99), 0.95).ticks] == ["0.9", "0.925", "0.95", "0.975", "1"]
    assert recall_line(days(0.6), 0.95).ticks[0].text == "0.5"
    assert recall_line(days(0.1), 0.95).ticks[0].text == "0"


def test_one_measurement_stands_in_the_middle() -> None:
    (mark,) = recall_line(days(1.0), 0.95).marks

    assert mark.x == LEFT + LINE_WIDTH / 2
    assert mark.y == TOP


@pytest.mark.parametrize("stretch", [(1, 1), (100, 1), (1, 100), (0, 1), (1, 0), (1e-300, 1e-300), (1e300, 1)])
def test_points_are_within_the_picture(stretch: tuple[float, float]) -> None:
    points = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * stretch

    drawn = np.array(scatter(points).points)

    assert (drawn >= 0).all()
    assert (drawn <= [MAP_WIDTH, MAP_HEIGHT]).all()


def test_one_unit_is_as_long_across_as_up_and_up_is_up() -> None:
    corner, right, above = np.array(scatter(np.array([[0, 0], [3, 0], [0, 3]])).points)

    assert right[0] - corner[0] == pytest.approx(corner[1] - above[1])
    assert right[0] > corner[0]
    assert (right[1], above[0]) == (corner[1], corner[0])


def test_points_that_are_all_the_same_lie_in_the_middle() -> None:
    assert set(scatter(np.ones((3, 2))).points) == {(MAP_WIDTH / 2, MAP_HEIGHT / 2)}
    assert scatter(np.zeros((0, 2))).points == ()
