"""The catalog over HTTP: commits, loads, histories, ingest and queries; the latter two beside plain DuckDB.

SQLite and Postgres take turns in each round, each with a server of its own on the loopback address; everything lies in
a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from benchmarks.catalog import commits, rows
from benchmarks.catalog.data import STANDING, write_csv
from benchmarks.catalog.report import section
from benchmarks.catalog.serving import DATABASES, Bench, start, sync_ms
from benchmarks.environments import Unavailable
from benchmarks.figures import Results
from benchmarks.report import as_json

PARTS = ("commits", "growth", "loads", "rows")
INTERRUPTED = "The run was interrupted: what stands here is not all."


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything.

    Attributes
    ----------
    seconds
        How long each load of commits lasts.
    histories
        Snapshots of the tables that a single client commits to, `commits` times.
    loaded
        Snapshots of the tables that are loaded, `calls` times each way.
    rows
        Of the CSV; each query over them is asked `queries` times.
    """

    rounds: int = 3
    seconds: float = 3.0
    histories: tuple[int, ...] = (100, 1_000, 5_000)
    commits: int = 20
    loaded: tuple[int, ...] = (10, 1_000)
    calls: int = 300
    rows: int = 1_000_000
    queries: int = 5


QUICK = Plan(rounds=1, seconds=1.0, histories=(100, 1_000), commits=5, calls=50, rows=100_000, queries=2)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catalog.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything, once: a minute, and more noise")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be given several times")
    parser.add_argument("--databases", default=",".join(DATABASES), help="one of them alone")
    parser.add_argument("--rounds", type=int, help=f"default: {Plan().rounds}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    options = parser.parse_args(arguments)
    unknown = set(options.databases.split(",")) - set(DATABASES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(DATABASES)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error("rounds is a number from 1")
    return options


def plan_of(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else Plan()
    return plan if options.rounds is None else replace(plan, rounds=options.rounds)


def run(options: argparse.Namespace) -> Results:
    """Measure all that was asked for; everything started is ended on the way out, also on Ctrl-C."""
    plan, results, started = plan_of(options), Results(), time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="lakehouse-bench-", ignore_cleanup_errors=True) as name,
        ExitStack() as stack,
    ):
        folder = Path(name)
        results.facts |= _facts(plan, folder)
        benches = _benches(options, folder, stack, results)
        source = folder / "orders.csv"
        write_csv(source, plan.rows)
        if "rows" in (options.only or PARTS) and benches:
            rows.warm_up(benches[0])
        try:
            for turn in range(plan.rounds):
                for bench in benches:
                    for part in options.only or PARTS:
                        print(f"round {turn + 1} of {plan.rounds}, {bench.database}: {part} ...", file=sys.stderr)
                        _measure(part, bench, plan, results, source, is_first=bench is benches[0])
        except KeyboardInterrupt:
            results.note(INTERRUPTED)
    results.facts["load of the machine at the end"] = _machine_load()
    results.facts["took"] = f"{time.monotonic() - started:.0f} s"
    return results


def _benches(options: argparse.Namespace, folder: Path, stack: ExitStack, results: Results) -> list[Bench]:
    found = []
    for database in DATABASES:
        if database in options.databases.split(","):
            try:
                found.append(start(database, folder / database, stack))
            except Unavailable as error:
                results.note(f"{database}: skipped, {error}.")
    return found


def _measure(part: str, bench: Bench, plan: Plan, results: Results, source: Path, *, is_first: bool) -> None:
    if part == "commits":
        commits.committing(bench, results, plan.seconds)
    elif part == "growth":
        commits.growing(bench, results, plan.histories, plan.commits)
    elif part == "loads":
        commits.loading(bench, results, plan.loaded, plan.calls)
    elif is_first:  # the rows are not in the database, so one will do
        table = rows.ingesting(bench, results, source, plan.rows)
        rows.querying(bench, results, table, plan.queries)


def _facts(plan: Plan, folder: Path) -> dict[str, str]:
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "load of the machine at the start": _machine_load(),
        "4 KiB written durably": f"{sync_ms(folder):.2f} ms",
        "Python": platform.python_version(),
        "the service": f"granian {version('granian')} with 4 threads, defaults throughout",
        "databases": "SQLite with synchronous=FULL; Postgres with fsync and synchronous_commit",
        "DuckDB": f"{version('duckdb')}, as many threads as ours, zstd at level 1",
        "ingest and query": "by a server that has done both once before, which imports pyiceberg",
        "rounds": f"{plan.rounds}, loads of {plan.seconds} s",
        "clients": "processes over loopback with one connection each; after a conflict they load and try again at once",
        "add-snapshot": f"a manifest list of {STANDING + 1} manifests, one of them new, and main moved to the snapshot",
    }


def _machine_load() -> str:
    return f"{os.getloadavg()[0]:.1f} processes in the last minute"


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    options = parse()
    signal.signal(signal.SIGTERM, _interrupt)
    results = run(options)
    text = section(results)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text)
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(results), indent=2) + "\n")
    if INTERRUPTED in results.notes:
        raise SystemExit(130)


if __name__ == "__main__":
    main()
