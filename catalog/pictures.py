"""Pictures of a table as plain figures: where the line of its rows or bytes lies, for a template that draws SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

WIDTH: Final = 640.0
HEIGHT: Final = 130.0
LEFT: Final = 76.0
TOP: Final = 14.0
STEPS: Final = (2, 4, 10, 20, 40, 100, 200, 400, 1000, 2000)
"""Of the unit; half of each is a whole number."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A height of the scale and what it says."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One commit on the line."""

    x: float
    y: float
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Growth:
    """A quantity over commits, the oldest to the left, evenly spaced; the scale begins at 0."""

    marks: tuple[Mark, ...]
    path: str
    ticks: tuple[Tick, ...]
    left: float = LEFT
    right: float = LEFT + WIDTH
    bottom: float = TOP + HEIGHT
    width: float = LEFT + WIDTH + 20
    height: float = TOP + HEIGHT + 28


def growth(points: Sequence[tuple[datetime, int]], write: Callable[[int], str], *, base: int = 1000) -> Growth:
    """Return the line of (time, quantity) pairs, the oldest first.

    Parameters
    ----------
    points
        Quantities of 0 and more.
    write
        How a quantity is written.
    base
        Of the units it is written in: 1024 for bytes.
    """
    top = _top_of_scale(max((value for _, value in points), default=0), base)

    def height(value: float) -> float:
        return round(TOP + HEIGHT * (1 - value / top), 1)

    step = WIDTH / max(len(points) - 1, 1)
    # A single point stands in the middle, where it is not taken for the beginning of something.
    start = LEFT + (WIDTH / 2 if len(points) == 1 else 0)
    marks = tuple(
        Mark(round(start + place * step, 1), height(value), write(value), at)
        for place, (at, value) in enumerate(points)
    )
    ticks = tuple(Tick(height(part), write(part)) for part in (0, top // 2, top))
    return Growth(marks, " ".join(f"{mark.x},{mark.y}" for mark in marks), ticks)


def _top_of_scale(highest: int, base: int) -> int:
    """Return a round number of the unit that is at least `highest`."""
    unit = 1
    while unit * base <= highest:
        unit *= base
    return next(step * unit for step in STEPS if step * unit >= highest)
