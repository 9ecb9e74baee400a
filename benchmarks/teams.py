"""A contender that is up, and the worker processes that ask it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.children import folder_bytes, settle
from benchmarks.contenders.catalogue import CONTENDERS, Contender, Served
from benchmarks.data import ROOT, Data, recall
from benchmarks.environments import Unavailable, python_with

NO_LIMIT_SECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Stored:
    """A data set and the folder where workers find it."""

    data: Data
    folder: Path


@dataclass(frozen=True, slots=True)
class Load:
    """Calls that clients made side by side for some seconds."""

    seconds: float
    took: list[float]

    @property
    def calls_per_second(self) -> float:
        return len(self.took) / self.seconds


class Worker:
    """A process of `benchmarks.worker`."""

    def __init__(self, python: Path, module: str, config: dict[str, Any], log: Path) -> None:
        command = [str(python), "-m", "benchmarks.worker", module, json.dumps(config)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, do: str, **arguments: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()

    def receive(self) -> Any:
        """Return the answer to the oldest command that has none yet."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Unavailable("its process ended")
        reply = json.loads(line)
        if "error" in reply:
            raise Unavailable(reply["error"][:300])
        return reply["answer"]

    def ask(self, do: str, **arguments: Any) -> Any:
        self.send(do, **arguments)
        return self.receive()

    def stop(self) -> None:
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Team:
    """A contender, its server and its clients."""

    def __init__(self, contender: Contender, served: Served, python: Path, log: Path, stack: ExitStack) -> None:
        self.contender = contender
        self.served = served
        self.effort = contender.efforts[0]
        self.settle_step = 0.4
        self._python = python if contender.worker_in_environment else Path(python_with("", ()))
        self._log = log
        self._stack = stack
        self._workers: list[Worker] = []
        self.release = str(self.first.ask("version"))

    @property
    def title(self) -> str:
        return self.contender.title

    @property
    def first(self) -> Worker:
        return self._take(1)[0]

    def create(self, name: str, stored: Stored, *, indexed: bool = False) -> None:
        dimension = stored.data.dimension
        self.first.ask("create", name=name, dimension=dimension, indexed=indexed, effort=self.effort)

    def drop(self, name: str) -> None:
        self.first.ask("drop", name=name)

    def add(
        self, name: str, stored: Stored, size: int, *, count: int | None = None, most_seconds: float = NO_LIMIT_SECONDS
    ) -> float:
        """Add items in batches of `size`; return how many a second were taken."""
        self.stage(stored, size, len(stored.data) if count is None else count)
        done, took = self.first.ask("add", name=name, most_seconds=most_seconds)
        return float(done / took)

    def stage(self, stored: Stored, size: int, count: int, prefix: str = "") -> None:
        """Have the first worker make batches for its next ``add``."""
        self.first.ask("stage", folder=str(stored.folder), size=size, count=count, prefix=prefix)

    def finish(self, name: str) -> float:
        """Have everything done that a loaded collection still needs, in the background too; return the seconds."""
        started = time.perf_counter()
        self.first.ask("finish", name=name)
        quiet_seconds = settle(self.served.pid or self.first.pid, step_seconds=self.settle_step)
        return time.perf_counter() - started - quiet_seconds

    def recall(self, name: str, stored: Stored, true: Sequence[set[str]], below: int | None = None) -> float:
        self.prepare(name, stored, below=below)
        return recall(self.first.ask("answers"), list(true))

    def prepare(
        self, name: str, stored: Stored, *, clients: int = 1, below: int | None = None, per_call: int = 1
    ) -> list[Worker]:
        """Make the questions ready; return the processes that will ask them."""
        workers = self._take(1 if self.contender.is_embedded else clients)
        for worker in workers:
            worker.ask(
                "prepare", name=name, folder=str(stored.folder), effort=self.effort, below=below, per_call=per_call
            )
        return workers

    def load(self, workers: Sequence[Worker], clients: int, seconds: float) -> Load:
        """Have prepared workers ask all at once, as this many clients."""
        threads = clients if self.contender.is_embedded else 1
        for worker in workers:
            worker.send("load", threads=threads, seconds=seconds)
        return Load(seconds, [one for worker in workers for one in worker.receive()])

    def disk_bytes(self) -> int | None:
        return None if self.served.folder is None else folder_bytes(self.served.folder)

    def second(self) -> Worker:
        """Return a client beside the first."""
        return self._take(2)[1]

    def _take(self, count: int) -> list[Worker]:
        while len(self._workers) < count:
            worker = Worker(self._python, self.contender.module, self._config(), self._log)
            self._stack.callback(worker.stop)
            self._workers.append(worker)
        return self._workers[:count]

    def _config(self) -> dict[str, Any]:
        return {**self.served.config, **self.contender.options}


def assemble(names: Sequence[str], folder: Path, stack: ExitStack) -> tuple[dict[str, Team], list[str]]:
    """Start all contenders of these names; return those that could, and words on the others."""
    teams: dict[str, Team] = {}
    missing: list[str] = []
    for contender in CONTENDERS:
        if contender.name not in names:
            continue
        own = folder / contender.name
        own.mkdir()
        try:
            python = python_with(contender.name, contender.packages)
            shared = teams.get(contender.shares or "")
            served = shared.served if shared else contender.serve(stack, own, python)
            teams[contender.name] = Team(contender, served, python, own / "worker.log", stack)
        except (Unavailable, RuntimeError, OSError) as error:
            missing.append(f"{contender.title}: skipped, {str(error).splitlines()[0]}.")
    return teams, missing
