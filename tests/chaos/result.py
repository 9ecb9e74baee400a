"""What a scenario found, in figures, and the table of all of them."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Loss = Literal["lost", "torn", "wrong", "server_errors"]

COLUMNS = (
    ("scenario", "<"),
    ("database", "<"),
    ("storage", "<"),
    ("rounds", ">"),
    ("acknowledged", ">"),
    ("lost", ">"),
    ("torn", ">"),
    ("wrong", ">"),
    ("5xx", ">"),
    ("recovery s", ">"),
    ("worst s", ">"),
    ("took s", ">"),
    ("notes", "<"),
)


@dataclass(slots=True)
class Result:
    """Counts of one scenario on one database and one storage; safe from any thread.

    Attributes
    ----------
    rounds
        Crashes, damages, faults, or repetitions: what the scenario is made of.
    acknowledged
        Writes that were answered with 200.
    lost, torn, wrong
        Batches that are not what was answered, batches of which only a part is there, answers that are not right.
    server_errors
        Answers of 5xx, but for a 503 that says what is missing.
    graph_answers
        Answers in which a graph took part.
    recoveries
        Seconds from the start of a process to its first right answer.
    """

    scenario: str
    database: str
    storage: str
    rounds: int = 0
    acknowledged: int = 0
    lost: int = 0
    torn: int = 0
    wrong: int = 0
    server_errors: int = 0
    recoveries: list[float] = field(default_factory=list)
    graph_answers: int = 0
    took_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.torn or self.wrong or self.server_errors or self.troubles)

    def acknowledge(self) -> None:
        with self._lock:
            self.acknowledged += 1

    def count_graph_answer(self) -> None:
        with self._lock:
            self.graph_answers += 1

    def blame(self, loss: Loss, what: str) -> None:
        """Count something that must not be, and keep what it was."""
        with self._lock:
            setattr(self, loss, getattr(self, loss) + 1)
            self.troubles.append(f"{loss}: {what}"[:2_000])

    def expect(self, holds: bool, what: str) -> bool:
        """Count an answer as wrong unless this holds."""
        if not holds:
            self.blame("wrong", what)
        return holds

    def report(self) -> str:
        """Return the figures and the first troubles, for a failing test."""
        return "\n".join([table([self]), *self.troubles[:20]])

    def facts(self) -> dict[str, Any]:
        """Return what goes into the JSON file."""
        names = ("scenario", "database", "storage", "rounds", "acknowledged", "lost", "torn", "wrong", "server_errors")
        median, worst = self._recovery()
        figures = {"recovery_median_seconds": median, "recovery_worst_seconds": worst}
        rest: dict[str, Any] = {
            "graph_answers": self.graph_answers,
            "took_seconds": round(self.took_seconds, 1),
            "notes": self.notes,
            "troubles": self.troubles,
        }
        return {name: getattr(self, name) for name in names} | figures | rest

    def row(self) -> list[str]:
        counts = (self.rounds, self.acknowledged, self.lost, self.torn, self.wrong, self.server_errors)
        seconds = ["" if one is None else f"{one:.2f}" for one in self._recovery()]
        place = [self.scenario, self.database, self.storage]
        return [
            *place,
            *map(str, counts),
            *seconds,
            f"{self.took_seconds:.0f}",
            "; ".join([*self.notes, f"{self.graph_answers} graph answers"]),
        ]

    def _recovery(self) -> tuple[float | None, float | None]:
        if not self.recoveries:
            return None, None
        return round(statistics.median(self.recoveries), 3), round(max(self.recoveries), 3)


def table(results: Sequence[Result]) -> str:
    """Return the results as text, a line each."""
    rows = [[name for name, _ in COLUMNS], *(result.row() for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(
            f"{cell:{align}{width}}" for cell, width, (_, align) in zip(row, widths, COLUMNS, strict=True)
        ).rstrip()
        for row in rows
    )
