"""A larger index on a server of its own: how long a restart takes, with a snapshot and without, and what it holds."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from benchmarks import data as data_sets
from benchmarks.bench import Bench
from benchmarks.children import folder_bytes, resident_bytes, settle
from benchmarks.contenders.service import Service
from benchmarks.data import Data
from vectors.stress.own_server import OwnServer

NAME = "big"
# Rounds of maintenance would take a snapshot by themselves.
ASLEEP = {"LAKEHOUSE_MAINTENANCE_SECONDS": "0"}
LINKS_OF_M_16 = 4 * (2 * 16 + 1) + 4 * 17 / 16
"""Bytes: hnswlib's 32 links and their count on the ground, and a sixteenth of items one level up with 16."""


def run_big(bench: Bench) -> None:
    data = data_sets.resized(bench.real.data, bench.plan.big)
    without, with_one = bench.folder / "big", bench.folder / "big-with-snapshot"
    without.mkdir()
    _load(bench, data, without)
    shutil.copytree(without, with_one)
    _take_snapshot(data, with_one)
    title = f"from starting the process to the first answer, {len(data):,} × {data.dimension}"
    table = bench.table("restart", title, "s", more_is_better=False)
    for turn in range(bench.plan.rounds):
        for column, folder in (("with a snapshot", with_one), ("from rows", without)):
            seconds, resident = _first_answer(data, folder)
            table.add("this service", column, seconds)
            if resident is not None and folder == with_one:
                _memory(bench, data, "restarted from a snapshot", resident)
        bench.say(f"restart, round {turn + 1}")
    sizes = bench.table("disk big", f"disk, {len(data):,} × {data.dimension}", "MiB", more_is_better=False)
    sizes.add("raw float32", "MiB", data.vectors.nbytes / 2**20)
    sizes.add("this service, rows", "MiB", folder_bytes(without) / 2**20)
    sizes.add("this service, rows and a snapshot", "MiB", folder_bytes(with_one) / 2**20)


def _memory(bench: Bench, data: Data, state: str, resident: float) -> None:
    ideal = data.vectors.nbytes + LINKS_OF_M_16 * len(data)
    title = f"memory of the server's process, {len(data):,} × {data.dimension}"
    table = bench.table("memory", title, "MiB", more_is_better=False)
    if "raw float32 and links" not in table.cells:
        table.add("raw float32 and links", "MiB", ideal / 2**20)
    table.add(state, "MiB", resident / 2**20)
    share = bench.table("memory share", f"{title}, as a multiple of raw float32 and links", "×", more_is_better=False)
    share.add(state, "×", resident / ideal)


def _load(bench: Bench, data: Data, folder: Path) -> None:
    server = OwnServer(folder, ASLEEP)
    server.migrate()
    try:
        service = Service(server.start(), "b64")
        empty = resident_bytes(server.pid)
        service.create(NAME, data.dimension, indexed=False, effort=64)
        for low in range(0, len(data), 1_000):
            service.add(NAME, service.batch(data, low, low + 1_000))
        service.finish(NAME)
        settle(server.pid)
        full = resident_bytes(server.pid)
        if empty is None or full is None:
            bench.results.note("Memory cannot be read on this system.")
            return
        _memory(bench, data, "empty", empty)
        _memory(bench, data, "after adding over HTTP", full)
        _memory(bench, data, "what adding has added", full - empty)
    finally:
        server.stop()


def _take_snapshot(data: Data, folder: Path) -> None:
    server = OwnServer(folder, ASLEEP)
    try:
        service = Service(server.start(), "b64")
        service.finish(NAME)
        settle(server.pid)
        service.snapshot(NAME)
    finally:
        server.stop()


def _first_answer(data: Data, folder: Path) -> tuple[float, int | None]:
    """Return the seconds from starting the process to the first answer, and its memory after some more."""
    server = OwnServer(folder, ASLEEP)
    started = time.perf_counter()
    try:
        service = Service(server.start(), "b64")
        questions = [service.question(NAME, data.queries[i : i + 1], None) for i in range(50)]
        hits = service.ids(service.ask(questions[0]))[0]
        took = time.perf_counter() - started
        if len(hits) != data_sets.K:
            raise RuntimeError(f"The first answer after a restart has {len(hits)} hits.")
        for question in questions:
            service.ask(question)
        return took, resident_bytes(server.pid)
    finally:
        server.stop()
