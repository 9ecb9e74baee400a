"""Times and errors of a run: a clock for its phases, and how long each kind of call took."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lakehouse_client import LakehouseClientError

MOST_ERRORS = 50
"""That are kept in words; all are counted."""


class WrongAnswer(Exception):
    """An answer that cannot be right."""


class Clock:
    """Says when phases start and end, on the wall clock of the run."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._started = time.perf_counter()
        self.timings: list[dict[str, Any]] = []

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self._started

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began = self.elapsed
        self._say(f"[stress] phase {name} starting (T+{began:.1f}s)")
        yield
        ended = self.elapsed
        self._say(f"[stress] phase {name} done — {ended - began:.1f}s (T+{ended:.1f}s)")
        self.timings.append(
            {"phase": name, "started_ms": round(began * 1e3, 1), "elapsed_ms": round((ended - began) * 1e3, 1)}
        )


@dataclass(slots=True)
class Record:
    """Calls and what went wrong, of all coordinators; threads may share it."""

    took: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    error_count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def call(self, kind: str, about: str, if_lost: Callable[[], None] | None = None) -> Iterator[None]:
        """Time a call; note its error, and let the coordinator go on with the next one.

        `if_lost` is called when it failed, for then it may have been done all the same.
        """
        started = time.perf_counter()
        try:
            yield
        except LakehouseClientError as error:
            self.blame(f"{kind} {about}: {error}")
            if if_lost is not None:
                if_lost()
            return
        except WrongAnswer as error:
            self.blame(f"{kind} {about}: {error}")
        took = time.perf_counter() - started
        with self._lock:
            self.took.setdefault(kind, []).append(took)

    def blame(self, text: str) -> None:
        with self._lock:
            self.error_count += 1
            if len(self.errors) < MOST_ERRORS:
                self.errors.append(text)

    def latencies(self) -> dict[str, dict[str, float]]:
        """Return count and p50, p95, p99 and the longest in milliseconds, by kind of call."""
        return {
            kind: {
                "count": len(values),
                **{f"p{share}_ms": round(percentile(values, share) * 1e3, 2) for share in (50, 95, 99)},
                "max_ms": round(max(values) * 1e3, 2),
            }
            for kind, values in sorted(self.took.items())
        }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` percent of all do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share / 100) - 1)]
