"""Committers in several processes, on two servers, and servers that are killed in the middle of commits."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.types import LongType, NestedField

from tests.catalog.engines import open_catalog
from tests.processes import ROOT, Server

pytestmark = pytest.mark.slow

SCHEMA = Schema(NestedField(1, "id", LongType()))
APPENDS = 4
KILLS = 2
WAIT_SECONDS = 120


class Committer:
    """A process that appends rows of its own to a table."""

    def __init__(self, url: str, table: str, first: int, count: int, log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.catalog_committer", url, table, str(first), str(count)],
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def ids(self, word: str) -> set[int]:
        lines = [line.split() for line in self._log.read_text(errors="replace").splitlines()]
        return {int(line[1]) for line in lines if len(line) > 1 and line[0] == word}

    def wait(self) -> None:
        assert self.process.wait(WAIT_SECONDS) == 0, self._log.read_text(errors="replace")


@contextmanager
def _committers(folder: Path, work: list[tuple[str, str, int]]) -> Iterator[list[Committer]]:
    """Start one process for each (url, table, number of appends)."""
    started = [
        Committer(url, table, 1000 * number, count, folder / f"committer-{number}.log")
        for number, (url, table, count) in enumerate(work)
    ]
    try:
        yield started
    finally:
        for one in started:
            one.process.kill()
            one.process.wait(WAIT_SECONDS)


def _rows(table: Table) -> list[int]:
    return [int(value) for value in table.scan().to_arrow()["id"].to_pylist()]


def _check_history(table: Table) -> None:
    """Every snapshot has the one before it as its parent, and files and rows agree."""
    snapshots = sorted(table.metadata.snapshots, key=lambda one: one.sequence_number or 0)
    assert [one.sequence_number for one in snapshots] == list(range(1, len(snapshots) + 1))
    parents = [one.parent_snapshot_id for one in snapshots]
    assert parents == [None, *(one.snapshot_id for one in snapshots[:-1])][: len(snapshots)]
    assert Path(table.metadata_location.removeprefix("file://")).is_file()


def test_committers_on_two_servers_lose_nothing(server: Server, tmp_path: Path) -> None:
    other = Server(server.data_dir, server.database_url)
    other.start()
    try:
        catalog = open_catalog(server.base_url)
        catalog.create_namespace("ns")
        catalog.create_table("ns.shared", SCHEMA)
        work = [(one.base_url, "ns.shared", APPENDS) for one in (server, other, server)]
        with _committers(tmp_path, work) as committers:
            for committer in committers:
                committer.wait()
        table = catalog.load_table("ns.shared")
        assert sorted(_rows(table)) == sorted(number for one in committers for number in one.ids("done"))
        assert len(_rows(table)) == 3 * APPENDS
        assert len(table.metadata.snapshots) == 3 * APPENDS
        _check_history(table)
    finally:
        other.kill()


def test_a_server_that_is_killed_while_it_commits_loses_no_acknowledged_row(server: Server, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    rng = random.Random(seed)
    catalog = open_catalog(server.base_url)
    catalog.create_namespace("ns")
    for name in ("one", "other"):
        catalog.create_table(f"ns.{name}", SCHEMA)
    work = [(server.base_url, f"ns.{name}", 10_000) for name in ("one", "other")]

    with _committers(tmp_path, work) as committers:
        for _ in range(KILLS):
            _wait_for_progress(committers)
            time.sleep(rng.uniform(0, 0.5))
            server.kill()
            server.start()
        _wait_for_progress(committers)
        server.kill()
    server.start()

    catalog = open_catalog(server.base_url)
    for name, own in (("one", committers[:1]), ("other", committers[1:])):
        table = catalog.load_table(f"ns.{name}")
        found = _rows(table)
        assert len(found) == len(set(found))
        assert set().union(*(one.ids("done") for one in own)) <= set(found)
        assert set(found) <= set().union(*(one.ids("sent") for one in own))
        _check_history(table)


def _wait_for_progress(committers: list[Committer]) -> None:
    before = [len(one.ids("done")) for one in committers]
    deadline = time.monotonic() + WAIT_SECONDS
    while any(len(one.ids("done")) <= count for one, count in zip(committers, before, strict=True)):
        assert time.monotonic() < deadline, [one.process.poll() for one in committers]
        time.sleep(0.02)
