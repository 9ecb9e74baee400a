"""What the pipeline writes down on its way: the one fate of every run, the funnel, and how long each stage took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from distillation.errors import NotConserved
from distillation.pipeline_types import Decision, Json, Outcome

Progress: TypeAlias = Callable[[str, int], None]
"""Is told the name of a stage and how many runs it has looked at, or begins with."""


class StageBook:
    """Decisions and counts of one export. A run that is decided twice, or never, stops it."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.decisions: dict[str, Decision] = {}
        self.stages: list[tuple[str, int, int]] = []
        self.seconds: dict[str, float] = {}
        self.progress = progress or (lambda stage, runs: None)

    def decide(
        self, run_id: str, outcome: Outcome, evidence: Mapping[str, Json], *, split: str = "", group: str = ""
    ) -> None:
        """Write down what becomes of a run."""
        if run_id in self.decisions:
            raise NotConserved(f"Run {run_id} came twice, or two stages decided on it.")
        self.decisions[run_id] = Decision(run_id, outcome, split, group, evidence)

    @contextmanager
    def stage(self, name: str, runs: int) -> Iterator[None]:
        """Count what goes into a stage and how much of it is decided there; and take the time."""
        self.progress(name, runs)
        decided = len(self.decisions)
        with self.timed(name):
            yield
        self.stages.append((name, runs, runs - (len(self.decisions) - decided)))

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Take the time of work that decides on no run."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def closed(self, runs: int) -> list[Decision]:
        """Return one decision for each of this many runs, by run id.

        Raises
        ------
        NotConserved
            There are more or fewer.
        """
        if len(self.decisions) != runs:
            raise NotConserved(f"{runs} runs went in, and {len(self.decisions)} were decided on.")
        return [self.decisions[run_id] for run_id in sorted(self.decisions)]
