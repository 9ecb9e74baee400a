"""Ingest of a CSV and queries over its table, beside plain DuckDB that does the same without a service."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.catalog.serving import Bench, peak_memory
from benchmarks.catalog.tables import NAMESPACE, new_id
from benchmarks.data import ROOT
from benchmarks.figures import Results, Table

COPY_ALONE: Final = "plain DuckDB, its COPY alone"
FRESH: Final = "plain DuckDB, a fresh process"
WARM: Final = "plain DuckDB, a warm process"
POSTED: Final = "POST /v1/catalog/ingest"
COMMAND: Final = "lake_ingest"
ASKED: Final = "POST /v1/catalog/query"
QUERIES: Final = {
    "count": "SELECT count(*) FROM {table}",
    "filtered aggregate": "SELECT sum(amount), avg(quantity) FROM {table} WHERE region = 'west' AND quantity > 6",
    "group by": "SELECT customer, sum(amount) AS spent FROM {table} GROUP BY customer ORDER BY spent DESC LIMIT 10",
}
TIMEOUT: Final = 600.0
WORKER: Final = {"worker": "catalog.ingest_worker"}


def warm_up(bench: Bench) -> None:
    """Have the server ingest and read once: the first time it imports pyiceberg, a second once in its life."""
    small = bench.folder / "small.csv"
    small.write_text("id,region\n1,north\n")
    table = f"warm_{new_id()}"
    _post(bench, small, table)
    with httpx.Client(base_url=bench.url, timeout=TIMEOUT) as client:
        _asked(client, QUERIES["count"].format(table=f"{NAMESPACE}.{table}"))


def ingesting(bench: Bench, results: Results, source: Path, rows: int) -> str:
    """Measure each way once; return the name of a table that holds the rows."""
    rates = results.table(Table("ingest", f"a CSV of {rows:,} rows and 6 columns becomes Parquet", "rows/s"))
    times = results.table(
        Table("ingest-ratio", "the same, its time as a multiple of plain DuckDB's", "×", more_is_better=False)
    )
    memory = results.table(Table("ingest-memory", "the most memory meanwhile", "MiB", more_is_better=False))
    alone, fresh, plain_peak = plain_copy(source, bench.folder)
    memory.add(FRESH, "worker", plain_peak)
    took = {COPY_ALONE: alone, FRESH: fresh}
    table = f"orders_{new_id()}"
    ways: dict[str, Callable[[], int]] = {
        POSTED: lambda: _post(bench, source, table), COMMAND: lambda: _command(bench, source, f"{table}_command")
    }  # fmt: skip
    for way, take in ways.items():
        if way == POSTED:
            with peak_memory(bench.pid, **WORKER, server="serve") as found:
                took[way] = _seconds(take, rows)
            memory.add(way, "worker", found.peaks["worker"])
            memory.add(way, "server", found.peaks["server"])
        else:
            took[way] = _seconds(take, rows)
    for way, seconds in took.items():
        rates.add(way, "rows/s", rows / seconds)
        for name, base in (("its COPY alone", alone), ("a fresh process", fresh)):
            times.add(way, f"of {name}", seconds / base)
    return table


def _seconds(take: Callable[[], int], rows: int) -> float:
    started = time.perf_counter()
    found = take()
    seconds = time.perf_counter() - started
    if found != rows:
        raise RuntimeError(f"{found} rows were taken, not {rows}.")
    return seconds


def _post(bench: Bench, source: Path, table: str) -> int:
    with source.open("rb") as file:
        answer = httpx.post(
            f"{bench.url}/v1/catalog/ingest", data={"table": f"{NAMESPACE}.{table}"},
            files={"file": (source.name, file)}, timeout=TIMEOUT,
        )  # fmt: skip
    if answer.status_code != 201:
        raise RuntimeError(answer.text[:500])
    return int(answer.json()["rows"])


def _command(bench: Bench, source: Path, table: str) -> int:
    command = [sys.executable, str(ROOT / "manage.py"), "lake_ingest", str(source), f"{NAMESPACE}.{table}", "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=bench.environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-500:])
    return int(json.loads(done.stdout)["rows"])


def plain_copy(source: Path, folder: Path) -> tuple[float, float, float]:
    """Return the seconds of plain DuckDB's COPY, those of its whole process, and its peak of memory in MiB."""
    command = [sys.executable, "-m", "benchmarks.catalog.plain", "copy", str(source), str(folder / f"plain-{new_id()}")]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    seconds = time.perf_counter() - started
    found = json.loads(done.stdout)
    return float(found["seconds"]), seconds, float(found["peak_mb"])


def querying(bench: Bench, results: Results, table: str, calls: int) -> None:
    """Measure three queries over the table, by us and by plain DuckDB over the same files."""
    times = results.table(
        Table("queries", "a query over that table, all of its answer read", "ms", more_is_better=False)
    )
    detail = httpx.get(f"{bench.url}/iceberg/v1/namespaces/{NAMESPACE}/tables/{table}").json()
    files = detail["metadata"]["location"].removeprefix("file://") + "/data/*.parquet"
    with httpx.Client(base_url=bench.url, timeout=TIMEOUT) as client:
        for name, sql in QUERIES.items():
            asked = sql.format(table=f"{NAMESPACE}.{table}")
            ours = [_asked(client, asked) for _ in range(calls)]
            fresh = [_plain_queries(files, sql, 1)[0] for _ in range(calls)]
            _, *warm = _plain_queries(files, sql, calls + 1)
            for way, took in ((ASKED, ours), (FRESH, fresh), (WARM, [one["seconds"] for one in warm])):
                seconds = [one if isinstance(one, float) else one["wall"] for one in took]
                times.add(way, name, statistics.median(seconds) * 1_000)


def _asked(client: httpx.Client, sql: str) -> float:
    started = time.perf_counter()
    answer = client.post("/v1/catalog/query", json={"sql": sql})
    seconds = time.perf_counter() - started
    if answer.status_code != 200:
        raise RuntimeError(answer.text[:500])
    return seconds


def _plain_queries(files: str, sql: str, count: int) -> list[dict[str, Any]]:
    """Ask one process `count` times; `wall` counts from its start."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.catalog.plain", "query", files]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    sent = f"{sql.format(table='orders')}\n" * count
    found = [json.loads(line) for line in process.communicate(sent, timeout=TIMEOUT)[0].splitlines()]
    wall = time.perf_counter() - started
    return [{**one, "wall": wall} for one in found]
