"""The funnel of an export as a picture: bars whose lengths are numbers of runs. Pure; a template draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LABEL_WIDTH = 160
BAR_WIDTH = 420
ROW_HEIGHT = 26
WIDTH = 960


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage: lengths and places in units of the picture."""

    name: str
    y: int
    text_y: int
    runs_in: int
    runs_out: int
    in_width: float
    out_width: float
    left: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Bars from top to bottom."""

    bars: tuple[Bar, ...]
    height: int
    width: int = WIDTH
    bar_x: int = LABEL_WIDTH
    text_x: int = LABEL_WIDTH + BAR_WIDTH + 12


def draw_funnel(stages: Sequence[Mapping[str, Any]]) -> Picture:
    """Return the bars of the stages of a manifest.

    Parameters
    ----------
    stages
        `name`, `runs_in`, `runs_out`, and `outcomes`: why runs stayed behind, and how many.
    """
    most = max([stage["runs_in"] for stage in stages] or [0]) or 1
    bars = []
    for place, stage in enumerate(stages):
        left = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in stage["outcomes"].items())
        bars.append(
            Bar(
                name=stage["name"],
                y=place * ROW_HEIGHT + 4,
                text_y=place * ROW_HEIGHT + 18,
                runs_in=stage["runs_in"],
                runs_out=stage["runs_out"],
                in_width=round(BAR_WIDTH * stage["runs_in"] / most, 1),
                out_width=round(BAR_WIDTH * stage["runs_out"] / most, 1),
                left=left,
            )
        )
    return Picture(tuple(bars), len(bars) * ROW_HEIGHT + 4)
