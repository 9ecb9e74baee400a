"""Commits a second of one and of four clients, loading a table, and what a commit costs a table with a history."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Final

import httpx

from benchmarks.catalog.client import commit_for
from benchmarks.catalog.serving import Bench
from benchmarks.catalog.tables import PREFIX, Committer, make_table, new_id
from benchmarks.data import ROOT
from benchmarks.figures import Results, Table, percentile
from benchmarks.http_call import Connection, message

KINDS: Final = ("set-properties", "add-snapshot")
MANY: Final = 4
NO_END: Final = 1_000_000
CASES: Final = (
    ("1 client", 1, True),
    (f"{MANY} clients, own tables", MANY, False),
    (f"{MANY} clients, one table", MANY, True),
)


@dataclass(frozen=True, slots=True)
class Load:
    """What clients have committed side by side."""

    per_second: float
    conflicts: int
    p99_ms: float


def committing(bench: Bench, results: Results, seconds: float) -> None:
    """Measure commits of each kind by one client, by four on tables of their own, by four on one table."""
    rates = results.table(Table("commits", "commits a second over HTTP", "commits/s"))
    waits = results.table(
        Table("commit-p99", "p99 of those commits, tries after conflicts included", "ms", more_is_better=False)
    )
    lost = results.table(
        Table("conflicts", "conflicts (409) that clients tried again after, for each commit", "×", more_is_better=False)
    )
    for kind in KINDS:
        row = f"{bench.database}, {kind}"
        for column, clients, is_shared in CASES:
            found = load(bench, kind, clients, seconds, is_shared=is_shared)
            rates.add(row, column, found.per_second)
            waits.add(row, column, found.p99_ms)
            if is_shared and clients > 1:
                lost.add(row, column, found.conflicts / max(1.0, found.per_second * seconds))


def load(bench: Bench, kind: str, clients: int, seconds: float, *, is_shared: bool) -> Load:
    """Have clients, a process each, commit to new tables."""
    tables = [f"load_{new_id()}" for _ in range(1 if is_shared else clients)]
    for table in tables:
        make_table(bench.port, table)
    processes = []
    for number in range(clients):
        config = {
            "port": bench.port, "table": tables[0 if is_shared else number], "kind": kind, "most": NO_END,
            "lists": bench.lists[number::clients],
        }  # fmt: skip
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.catalog.client", json.dumps(config)],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
    try:
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError("A client did not start.")
        found = [json.loads(text) for text in _run(processes, seconds)]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    took = [one for each in found for one in each["took"]]
    return Load(len(took) / seconds, sum(each["conflicts"] for each in found), percentile(took, 0.99) * 1_000)


def _run(processes: list[subprocess.Popen[str]], seconds: float) -> list[str]:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{seconds}\n")
        process.stdin.flush()
    return [process.communicate()[0] for process in processes]


def growing(bench: Bench, results: Results, sizes: tuple[int, ...], commits: int) -> None:
    """Measure one client's commits to a table that has many snapshots."""
    medians = results.table(
        Table("growth", "one commit to a table with a history, by its snapshots (median)", "ms", more_is_better=False)
    )
    for size in sizes:
        for kind in KINDS:
            table = f"growth_{new_id()}"
            make_table(bench.port, table, snapshots=size, manifest_list=bench.lists[0])
            committer = Committer(bench.port, table, bench.lists[1:])
            commit_for(committer, kind, 60, 2)
            took = commit_for(committer, kind, 60, commits)
            committer.close()
            medians.add(f"{bench.database}, {kind}", f"{size:,}", statistics.median(took) * 1_000)


def loading(bench: Bench, results: Results, sizes: tuple[int, ...], calls: int) -> None:
    """Measure one client's loads of a table: all of it, without old snapshots, and of what it has already."""
    p50 = results.table(Table("load-p50", "loading a table, p50, by its snapshots", "ms", more_is_better=False))
    p99 = results.table(Table("load-p99", "loading a table, p99, by its snapshots", "ms", more_is_better=False))
    for size in sizes:
        table = f"loaded_{new_id()}"
        make_table(bench.port, table, snapshots=size, manifest_list=bench.lists[0])
        path = f"{PREFIX}/{table}"
        tag = httpx.get(f"{bench.url}{path}").headers["ETag"]
        plain = message("GET", path)
        ways = {
            "all snapshots": plain,
            "snapshots=refs": message("GET", f"{path}?snapshots=refs"),
            "unchanged (304)": plain.replace(b"\r\n\r\n", f"\r\nIf-None-Match: {tag}\r\n\r\n".encode()),
        }
        for way, request in ways.items():
            took = _timed(bench.port, request, calls)
            p50.add(f"{bench.database}, {way}", f"{size:,}", percentile(took, 0.5) * 1_000)
            p99.add(f"{bench.database}, {way}", f"{size:,}", percentile(took, 0.99) * 1_000)


def _timed(port: int, request: bytes, calls: int) -> list[float]:
    connection, took = Connection(port), []
    for _ in range(calls + 5):
        started = time.perf_counter()
        connection.ask(request)
        took.append(time.perf_counter() - started)
    connection.close()
    return took[5:]
