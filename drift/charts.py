"""Pictures of a report as plain figures: where bars and points lie, for a template that draws SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from drift.psi import MAJOR, MINOR

BAR_WIDTH, BAR_HEIGHT, BAR_GAP = 260.0, 16.0, 4.0
LABEL_WIDTH, HEAD_HEIGHT = 170.0, 24.0
LINE_WIDTH, LINE_HEIGHT, LINE_TOP = 600.0, 200.0, 0.5
LEFT, RIGHT, TOP = 16.0, 120.0, 12.0
CELL_WIDTH, CELL_HEIGHT = 150.0, 34.0


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
class Mark:
    """One report: its verdict, at the height of its largest PSI."""

    x: float
    y: float
    window_end: datetime
    verdict: str
    psi: float | None
    link: str


@dataclass(frozen=True, slots=True)
class Band:
    """A tier of PSI: from where to where its verdict holds."""

    verdict: str
    y: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Verdicts over time before the bands of the tiers.

    A verdict that is not about PSI stands in the middle of its band; a window without a verdict, on the ground line.
    """

    marks: tuple[Mark, ...]
    bands: tuple[Band, ...]
    path: str
    dates: tuple[Tick, ...]
    left: float = LEFT
    right: float = LEFT + LINE_WIDTH
    line_width: float = LINE_WIDTH
    bottom: float = TOP + LINE_HEIGHT
    width: float = LEFT + LINE_WIDTH + RIGHT
    height: float = TOP + LINE_HEIGHT + 30


@dataclass(frozen=True, slots=True)
class Cell:
    """How many runs went from one verdict to another; `strength` is 0 to 4, by their share of the row."""

    before: str
    after: str
    count: int
    share: float
    strength: int
    link: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Transitions: a row for each verdict before, a column for each after. The diagonal is agreement."""

    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    cells: tuple[Cell, ...]
    width: float
    height: float
    cell_width: float = CELL_WIDTH
    cell_height: float = CELL_HEIGHT


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


def verdict_timeline(reports: Sequence[tuple[datetime, str, float | None, str]]) -> Timeline:
    """Return verdicts over time.

    Parameters
    ----------
    reports
        End of the window, verdict, the largest PSI of its metrics or None, and the address of the report; the oldest
        first. They stand evenly spaced. A PSI above 0.5 is drawn at the top.
    """
    step = LINE_WIDTH / max(len(reports) - 1, 1)
    tops = (LINE_TOP, MAJOR, MINOR, 0.0)
    names = (("major", f"major, from {MAJOR:.2f}"), ("minor", f"minor, from {MINOR:.2f}"), ("stable", "stable"))
    bands = tuple(
        Band(name, _height(high), _height(low) - _height(high), text)
        for (name, text), (high, low) in zip(names, pairwise(tops), strict=True)
    )
    middles = {band.verdict: band.y + band.height / 2 for band in bands}
    marks = tuple(
        Mark(
            LEFT + place * step,
            middles.get(verdict, _height(0.0)) if psi is None else _height(psi),
            end,
            verdict,
            psi,
            link,
        )
        for place, (end, verdict, psi, link) in enumerate(reports)
    )
    measured = [f"{mark.x:.1f},{mark.y:.1f}" for mark in marks if mark.psi is not None]
    path = f"M{' L'.join(measured)}" if len(measured) > 1 else ""
    shown = sorted({0, len(marks) // 2, len(marks) - 1}) if marks else []
    dates = tuple(Tick(marks[place].x, f"{marks[place].window_end:%Y-%m-%d}") for place in shown)
    return Timeline(marks, bands, path, dates)


def heat_map(transitions: Sequence[tuple[str, str, int, str]]) -> HeatMap | None:
    """Return the picture of (before, after, count, address); None where there are none."""
    if not transitions:
        return None
    befores = sorted({before for before, _, _, _ in transitions})
    afters = sorted({after for _, after, _, _ in transitions})
    found = {(before, after): (count, link) for before, after, count, link in transitions}
    totals = {before: sum(found.get((before, after), (0, ""))[0] for after in afters) for before in befores}
    rows = tuple(Tick(HEAD_HEIGHT + place * CELL_HEIGHT, name) for place, name in enumerate(befores))
    columns = tuple(Tick(LABEL_WIDTH + place * CELL_WIDTH, name) for place, name in enumerate(afters))
    cells = []
    for row in rows:
        for column in columns:
            count, link = found.get((row.text, column.text), (0, ""))
            share = count / totals[row.text] if totals[row.text] else 0.0
            strength = min(4, math.ceil(share * 4))
            cells.append(Cell(row.text, column.text, count, share, strength, link, column.at, row.at))
    width = LABEL_WIDTH + len(columns) * CELL_WIDTH
    return HeatMap(rows, columns, tuple(cells), width, HEAD_HEIGHT + len(rows) * CELL_HEIGHT)


def _height(psi: float) -> float:
    return TOP + LINE_HEIGHT * (1 - min(psi, LINE_TOP) / LINE_TOP)
