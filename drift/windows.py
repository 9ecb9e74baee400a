"""Which windows of time a monitor has to look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_CATCH_UP = 24
"""Windows that are made up for after a pause; older ones are left out, and the number of these is told."""


@dataclass(frozen=True, slots=True)
class Window:
    """``[start, end)``."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows of one length that end at `first_end` and every `interval_seconds` after it; they may overlap."""

    first_end: datetime
    interval_seconds: int
    window_seconds: int

    def latest(self, now: datetime) -> Window | None:
        """Return the last window that is over; None before the first one is."""
        number = self._last_number(now)
        return None if number < 0 else self._window(number)

    def due(self, now: datetime, done_until: datetime | None, most: int = MAX_CATCH_UP) -> tuple[list[Window], int]:
        """Return the windows that are over and not done, the oldest first, and how many older ones are left out."""
        last = self._last_number(now)
        first = 0 if done_until is None else self._last_number(done_until) + 1
        first = max(first, 0)
        missed = max(last + 1 - first - most, 0)
        return [self._window(number) for number in range(first + missed, last + 1)], missed

    def before(self, window: Window, count: int) -> Window:
        """Return the time that `count` windows of this length span right before a window."""
        return Window(window.start - timedelta(seconds=self.window_seconds * count), window.start)

    def _last_number(self, moment: datetime) -> int:
        return (moment - self.first_end) // timedelta(seconds=self.interval_seconds)

    def _window(self, number: int) -> Window:
        end = self.first_end + timedelta(seconds=self.interval_seconds) * number
        return Window(end - timedelta(seconds=self.window_seconds), end)
