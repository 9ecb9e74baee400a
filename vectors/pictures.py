"""Pictures of an index as plain figures: where lines and points lie, for a template that draws SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from vectors.distances import Float64s

LINE_WIDTH, LINE_HEIGHT = 640.0, 180.0
LEFT, TOP = 52.0, 14.0
MAP_WIDTH, MAP_HEIGHT, MAP_MARGIN = 720.0, 480.0, 12.0
LOWEST_STEPS = (0.95, 0.9, 0.8, 0.5, 0.0)


@dataclass(frozen=True, slots=True)
class Tick:
    """A height of the scale and what it says."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One measurement on the line."""

    x: float
    y: float
    recall: float
    measured_at: datetime
    is_low: bool


@dataclass(frozen=True, slots=True)
class RecallLine:
    """Recall over measurements, the oldest to the left; `limit_y` is where it begins to be too low."""

    marks: tuple[Mark, ...]
    path: str
    ticks: tuple[Tick, ...]
    limit_y: float
    left: float = LEFT
    right: float = LEFT + LINE_WIDTH
    bottom: float = TOP + LINE_HEIGHT
    width: float = LEFT + LINE_WIDTH + 20
    height: float = TOP + LINE_HEIGHT + 30


def recall_line(measured: Sequence[tuple[datetime, float]], limit: float) -> RecallLine:
    """Return the line of (time, recall) pairs, the oldest first, evenly spaced.

    The scale ends at 1; it begins below the lowest value, and below `limit` in any case.
    """
    lowest = min([value for _, value in measured], default=1.0)
    bottom = next(step for step in LOWEST_STEPS if step < limit and step <= lowest)

    def height(value: float) -> float:
        return round(TOP + LINE_HEIGHT * (1 - (value - bottom) / (1 - bottom)), 1)

    step = LINE_WIDTH / max(len(measured) - 1, 1)
    # A single point stands in the middle, where it is not taken for the beginning of something.
    start = LEFT + (LINE_WIDTH / 2 if len(measured) == 1 else 0)
    marks = tuple(
        Mark(round(start + place * step, 1), height(value), value, when, value < limit)
        for place, (when, value) in enumerate(measured)
    )
    path = " ".join(f"{mark.x},{mark.y}" for mark in marks)
    scale = [bottom + (1 - bottom) * part / 4 for part in range(5)]
    ticks = tuple(Tick(height(value), f"{value:.4f}".rstrip("0").rstrip(".")) for value in scale)
    return RecallLine(marks, path, ticks, height(limit))


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points of a plane in units of a picture, y downwards; one unit is as long in x as in y."""

    points: tuple[tuple[float, float], ...]
    width: float = MAP_WIDTH
    height: float = MAP_HEIGHT


def scatter(points: Float64s) -> Scatter:
    """Fit points of shape (n, 2) into the picture without stretching either direction."""
    if not len(points):
        return Scatter(())
    low, high = points.min(axis=0), points.max(axis=0)
    spans = high - low
    room = np.array([MAP_WIDTH - 2 * MAP_MARGIN, MAP_HEIGHT - 2 * MAP_MARGIN])
    scales = [space / span for space, span in zip(room, spans, strict=True) if span > 0]
    scale = min((value for value in scales if math.isfinite(value)), default=0.0)
    middle = np.array([MAP_WIDTH, MAP_HEIGHT]) / 2
    placed = middle + (points - (low + high) / 2) * scale * np.array([1.0, -1.0])
    return Scatter(tuple((float(x), float(y)) for x, y in np.round(placed, 1)))
