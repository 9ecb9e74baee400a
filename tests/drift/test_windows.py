from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from drift.windows import MAX_CATCH_UP, Schedule

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
seconds = st.integers(1, 10**6)


@given(interval=seconds, window=seconds, pauses=st.lists(st.integers(0, 3 * 10**6), max_size=10))
def test_every_window_is_due_once_or_told_as_left_out(interval: int, window: int, pauses: list[int]) -> None:
    schedule = Schedule(FIRST, interval, window)
    now, done_until, ends, left_out = FIRST - timedelta(seconds=1), None, [], 0

    for pause in pauses:
        now += timedelta(seconds=pause)
        windows, missed = schedule.due(now, done_until)
        assert len(windows) <= MAX_CATCH_UP
        ends += [one.end for one in windows]
        left_out += missed
        done_until = windows[-1].end if windows else done_until

    assert ends == sorted(set(ends))
    assert len(ends) + left_out == max((now - FIRST) // timedelta(seconds=interval) + 1, 0)
    assert all(one <= now for one in ends)


def test_the_latest_window_is_the_last_that_is_over() -> None:
    schedule = Schedule(FIRST, 60, 600)

    assert schedule.latest(FIRST - timedelta(seconds=1)) is None
    latest = schedule.latest(FIRST + timedelta(seconds=119))
    assert latest is not None
    assert (latest.start, latest.end) == (FIRST - timedelta(seconds=540), FIRST + timedelta(seconds=60))


def test_an_interval_that_was_changed_goes_on_where_it_was() -> None:
    windows, missed = Schedule(FIRST, 100, 100).due(FIRST + timedelta(seconds=350), FIRST + timedelta(seconds=130))

    assert [one.end for one in windows] == [FIRST + timedelta(seconds=200), FIRST + timedelta(seconds=300)]
    assert missed == 0
