"""Numbers of several rounds, and what is said of them (pure)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share (0 to 1) of all values does not exceed."""
    if not values:
        raise ValueError("No percentile of no values.")
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


@dataclass(slots=True)
class Series:
    """One figure over the rounds; `recall` is that of the answers it was measured with, where that has a meaning."""

    values: list[float] = field(default_factory=list)
    recall: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def noise(self) -> float:
        """How far apart the rounds are, as a share of the median."""
        return (max(self.values) - min(self.values)) / self.median if self.median else 0.0


@dataclass(slots=True)
class Table:
    """Figures of one kind: a row for each contender, a column for each case.

    Attributes
    ----------
    service, limit
        The rows that the others are compared with, None where there is none.
    cells
        By row and column, both in the order of their first mention.
    """

    key: str
    title: str
    unit: str
    service: str | None = None
    limit: str | None = None
    more_is_better: bool = True
    cells: dict[str, dict[str, Series]] = field(default_factory=dict)

    def add(self, row: str, column: str, value: float, recall: float | None = None) -> None:
        """Append the figure of one more round."""
        series = self.cells.setdefault(row, {}).setdefault(column, Series())
        series.values.append(value)
        if recall is not None:
            series.recall = recall

    def columns(self) -> list[str]:
        return list(dict.fromkeys(column for cells in self.cells.values() for column in cells))

    def ratio(self, row: str, column: str, to: str | None) -> float | None:
        """Return how this cell compares with the one in row `to`, None where either is missing.

        Round by round where both have all rounds: what else the machine did then, both have felt.
        """
        mine, other = self.cells.get(row, {}).get(column), self.cells.get(to or "", {}).get(column)
        if mine is None or other is None or not other.median:
            return None
        if len(mine.values) == len(other.values) and all(other.values):
            return statistics.median(a / b for a, b in zip(mine.values, other.values, strict=True))
        return mine.median / other.median


@dataclass(slots=True)
class Results:
    """All tables of a run, facts about it, and words on what was left out."""

    tables: dict[str, Table] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def table(self, table: Table) -> Table:
        """Return the table of this key: this one, unless an earlier round has made it."""
        return self.tables.setdefault(table.key, table)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
