"""Pictures of a report as plain figures: where bars and points lie, for a template that draws SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

BAR_WIDTH, BAR_HEIGHT, BAR_GAP = 260.0, 16.0, 4.0
LABEL_WIDTH, HEAD_HEIGHT = 170.0, 24.0
LINE_WIDTH, LINE_HEIGHT, LINE_TOP = 720.0, 160.0, 0.5


@dataclass(frozen=True, slots=True)
class Bar:
    """One bucket: its reference bar ends at the middle, its current bar begins there."""

    label: str
    y: float
    text_y: float
    reference_x: float
    reference_width: float
    current_width: float
    reference_count: int
    current_count: int
    reference_share: float
    current_share: float
    contribution: float
    link: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Mirrored bars, and the size of the picture. `middle` is where the two sides meet."""

    bars: tuple[Bar, ...]
    width: float
    height: float
    middle: float
    bar_height: float

    @property
    def picture_height(self) -> float:
        return self.height + HEAD_HEIGHT


@dataclass(frozen=True, slots=True)
class Point:
    """One report on the line of PSI over time."""

    x: float
    y: float
    title: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """PSI over time, with the heights at which the tiers begin."""

    points: tuple[Point, ...]
    width: float
    height: float
    minor_y: float
    major_y: float


def mirrored_bars(result: Mapping[str, Any], links: Sequence[str] = ()) -> Bars | None:
    """Return the bars of a result of numbers or categories; None for one without buckets.

    `links` are addresses of what lies in each bucket now, or none at all.
    """
    old, new = result.get("reference_counts") or (), result.get("current_counts") or ()
    n, m = sum(old), sum(new)
    if not n or not m:
        return None
    shares = [(one / n, other / m) for one, other in zip(old, new, strict=True)]
    largest = max(max(pair) for pair in shares)
    middle = LABEL_WIDTH + BAR_WIDTH
    step = BAR_HEIGHT + BAR_GAP
    bars = []
    labelled = zip(_labels(result), shares, result["contributions"], old, new, strict=True)
    for place, (label, (p, q), part, one, other) in enumerate(labelled):
        width = BAR_WIDTH * p / largest
        link = links[place] if links else ""
        facts = (middle - width, width, BAR_WIDTH * q / largest, one, other, p, q, part, link)
        bars.append(Bar(label, place * step, place * step + BAR_HEIGHT - 4, *facts))
    return Bars(tuple(bars), middle + BAR_WIDTH, len(bars) * step, middle, BAR_HEIGHT)


def _labels(result: Mapping[str, Any]) -> list[str]:
    if "categories" in result:
        return [str(name) for name in result["categories"]]
    edges: Sequence[Any] = result["edges"]
    return [f"{_short(low)} – {_short(high)}" for low, high in pairwise(edges)]


def _short(edge: Any) -> str:
    words = {"Infinity": "∞", "-Infinity": "−∞"}
    return words.get(edge) or f"{float(edge):.4g}"


def timeline(reports: Iterable[tuple[str, str, float]]) -> Timeline:
    """Return the line of a monitor from (time, verdict, PSI), the oldest first; PSI above 0.5 is drawn at the top."""
    found = list(reports)
    step = LINE_WIDTH / max(len(found) - 1, 1)
    points = tuple(
        Point(place * step, _height(psi), f"{time}: {verdict}, PSI {psi:.4f}", verdict)
        for place, (time, verdict, psi) in enumerate(found)
    )
    return Timeline(points, LINE_WIDTH, LINE_HEIGHT, _height(0.10), _height(0.25))


def _height(psi: float) -> float:
    return LINE_HEIGHT * (1 - min(psi, LINE_TOP) / LINE_TOP)
