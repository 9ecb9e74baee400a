"""What the parts of a run share: who takes part, on which data, how long, and the results so far."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contenders.catalogue import LIMIT, SERVICE, Ability
from benchmarks.environments import Unavailable
from benchmarks.figures import Results, Table
from benchmarks.teams import Stored, Team


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything.

    Attributes
    ----------
    seconds
        How long each load lasts.
    adds
        Items that are added at most, by size of batch.
    most_add_seconds
        After which a slow contender's adding is broken off; its rate is of what it has done.
    target
        The recall that all are compared at.
    """

    rounds: int = 3
    seconds: float = 1.5
    real: int | None = None
    seeded: int = 20_000
    big: int = 50_000
    adds: tuple[tuple[int, int], ...] = ((16, 1_024), (128, 4_096), (1_024, 8_192))
    most_add_seconds: float = 2.0
    mixed_seconds: float = 3.0
    target: float = 0.99
    queries: int = 200
    settle_step: float = 0.4
    parts: tuple[str, ...] = ()


QUICK = Plan(
    seconds=0.3,
    real=2_000,
    seeded=2_000,
    big=11_000,
    adds=((16, 256), (128, 1_024), (1_024, 2_048)),
    most_add_seconds=0.2,
    mixed_seconds=0.6,
    settle_step=0.1,
    # A hundred go into one batched call.
    queries=100,
    parts=("adds", "whole", "search", "batched", "filtered", "merge", "mixed", "restart"),
)


@dataclass(slots=True)
class Bench:
    """A run."""

    plan: Plan
    folder: Path
    teams: dict[str, Team]
    real: Stored
    seeded: Stored
    results: Results = field(default_factory=Results)
    there: set[tuple[str, str]] = field(default_factory=set)
    recalls: dict[tuple[str, str], float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def able(self, ability: Ability) -> list[Team]:
        """Return the teams that can do this, in the order they are shown in."""
        return [team for team in self.teams.values() if ability in team.contender.abilities]

    def title(self, name: str) -> str | None:
        return self.teams[name].title if name in self.teams else None

    def table(self, key: str, title: str, unit: str, *, more_is_better: bool = True) -> Table:
        service, limit = self.title(SERVICE), self.title(LIMIT)
        return self.results.table(Table(key, title, unit, service, limit, more_is_better))

    def say(self, text: str) -> None:
        print(f"[bench] T+{self.elapsed:5.0f} s  {text}", file=sys.stderr, flush=True)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    @contextmanager
    def trying(self, team: Team, what: str) -> Iterator[None]:
        """Leave a peer that fails out of the rest of the run; failures of the service are ours and end it."""
        try:
            yield
        except Unavailable as error:
            if team.contender.name == SERVICE:
                raise
            self.results.note(f"{team.title}: left the run at {what}, {str(error).splitlines()[0]}")
            self.teams.pop(team.contender.name, None)

    def ready(self, name: str, stored: Stored) -> list[Team]:
        """Have the data in each searching team's collection `name`, at the recall they are compared at."""
        true = stored.data.true_keys()
        for team in self.able("search"):
            own = team.contender.name
            if (own, name) in self.recalls:
                continue
            with self.trying(team, f"loading {name}"):
                found = self._tune(team, name, stored, true)
                self.recalls[own, name] = found
                self.say(f"{team.title}: recall {found:.4f} at effort {team.effort}")
                self.results.facts[f"effort of {team.title} ({name})"] = f"{team.effort} (recall {found:.4f})"
                if found < self.plan.target:
                    self.results.note(f"{team.title} reaches a recall of {found:.3f} only on {stored.data.title}.")
        return self.able("search")

    def _tune(self, team: Team, name: str, stored: Stored, true: list[set[str]]) -> float:
        """Load the data unless they are there, and choose the first effort with the recall; return that."""
        contender = team.contender
        if contender.shares is not None:
            # It finds the data as their owner has built them.
            team.effort = self.teams[contender.shares].effort
            return team.recall(name, stored, true)
        found = 0.0
        for turn, team.effort in enumerate(contender.efforts):
            is_there = (contender.name, name) in self.there
            if is_there and turn > 0 and contender.tunes_anew:
                self.drop(team, name)
                is_there = False
            if not is_there:
                self.load(team, name, stored)
            found = team.recall(name, stored, true)
            if found >= self.plan.target:
                break
        return found

    def load(self, team: Team, name: str, stored: Stored) -> tuple[float, float]:
        """Make a collection of all data; return vectors per second when acknowledged, and with its index built."""
        team.create(name, stored)
        rate = team.add(name, stored, 1_000)
        count = len(stored.data)
        self.rates[team.contender.name] = rate
        seconds = team.finish(name)
        self.there.add((team.contender.name, name))
        return rate, count / (count / rate + seconds)

    def drop(self, team: Team, name: str) -> None:
        team.drop(name)
        self.there.discard((team.contender.name, name))
