"""A process that asks one contender: commands come in as lines of JSON, answers go out the same way.

It runs under the contender's own Python, so it needs the standard library and numpy alone.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.contenders.adapter import Adapter
from benchmarks.contenders.catalogue import make_adapter
from benchmarks.data import Data, read_saved, renamed


class Desk:
    """One method for each command."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.questions: list[Any] = []
        self.batches: list[tuple[int, Any]] = []

    def version(self) -> str:
        return self.adapter.version()

    def create(self, name: str, dimension: int, indexed: bool, effort: int) -> None:
        self.adapter.create(name, dimension, indexed=indexed, effort=effort)

    def drop(self, name: str) -> None:
        self.adapter.drop(name)

    def finish(self, name: str) -> None:
        self.adapter.finish(name)

    def tune(self, name: str, effort: int) -> None:
        self.adapter.tune(name, effort)

    def stage(self, folder: str, size: int, count: int, prefix: str) -> None:
        """Make batches of `size` out of `count` items: beyond those of the data set, the same under other ids."""
        data = _data(folder)
        self.batches = []
        for start in range(0, count, len(data)):
            some = renamed(data, f"{prefix}{start or ''}")
            here = min(len(data), count - start)
            lows = range(0, here, size)
            self.batches += [(min(size, here - i), self.adapter.batch(some, i, min(i + size, here))) for i in lows]

    def add(self, name: str, most_seconds: float) -> list[float]:
        """Add what `stage` has made until the time is up; return how many items, and the seconds it took."""
        done = 0
        begun = time.perf_counter()
        for size, batch in self.batches:
            self.adapter.add(name, batch)
            done += size
            if time.perf_counter() - begun > most_seconds:
                break
        took = time.perf_counter() - begun
        self.batches = []
        return [float(done), took]

    def prepare(self, name: str, folder: str, effort: int, below: int | None, per_call: int) -> None:
        """Make the questions that `load` and `answers` ask, and ask some to warm up."""
        self.adapter.tune(name, effort)
        queries = _data(folder).queries
        starts = range(0, len(queries) - per_call + 1, per_call)
        self.questions = [self.adapter.question(name, queries[i : i + per_call], below) for i in starts]
        for question in self.questions[:3]:
            self.adapter.ask(question)

    def answers(self) -> list[list[str]]:
        return [hits for question in self.questions for hits in self.adapter.ids(self.adapter.ask(question))]

    def load(self, threads: int, seconds: float) -> list[float]:
        """Ask one question after the other in each thread for some seconds; return how long each took."""
        took: list[list[float]] = [[] for _ in range(threads)]
        end = time.perf_counter() + seconds

        def ask(own: list[float], position: int) -> None:
            adapter, questions = self.adapter, self.questions
            while (started := time.perf_counter()) < end:
                adapter.ask(questions[position % len(questions)])
                own.append(time.perf_counter() - started)
                position += 1

        places = [(own, (os.getpid() + 37 * i) % len(self.questions)) for i, own in enumerate(took)]
        others = [threading.Thread(target=ask, args=place) for place in places[1:]]
        for thread in others:
            thread.start()
        ask(*places[0])
        for thread in others:
            thread.join()
        return [round(one, 7) for own in took for one in own]


@cache
def _data(folder: str) -> Data:
    return read_saved(Path(folder))


def main() -> None:
    # What libraries print must not come between the answers.
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    desk: Desk | None = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if desk is None:
                desk = Desk(make_adapter(sys.argv[1], json.loads(sys.argv[2])))
            answer = {"answer": getattr(desk, command.pop("do"))(**command)}
        except Exception as error:  # noqa: BLE001  the run decides what to do without this contender
            answer = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(answer) + "\n")
    replies.close()
    # Some libraries hang when their threads end with the interpreter.
    os._exit(0)


if __name__ == "__main__":
    main()
