"""Searching: one vector a call by one and by eight clients, a hundred a call, and with filters."""

from __future__ import annotations

import statistics

from benchmarks.bench import Bench
from benchmarks.data import BUCKETS
from benchmarks.figures import percentile
from benchmarks.teams import Stored, Team

CLIENTS = (1, 8)
QUERIES_PER_CALL = 100
LIMITS = (500, 100, 30, 10, 1)


def run_search(bench: Bench) -> None:
    _search(bench, "real", bench.real)


def run_seeded(bench: Bench) -> None:
    _search(bench, "seeded", bench.seeded)


def _search(bench: Bench, name: str, stored: Stored) -> None:
    teams = bench.ready(name, stored)
    about = f"k = 10, metadata in the answer, {stored.data.title}"
    speeds = bench.table(f"search {name}", f"searches, {about}", "searches/s")
    tails = bench.table(f"latency {name}", f"p99 of searches, {about}", "ms", more_is_better=False)
    for turn in range(bench.plan.rounds):
        for clients in CLIENTS:
            for team in teams:
                with bench.trying(team, "search"):
                    workers = team.prepare(name, stored, clients=clients)
                    load = team.load(workers, clients, bench.plan.seconds)
                    column = f"{clients} client{'s' if clients > 1 else ''}"
                    found = bench.recalls.get((team.contender.name, name))
                    speeds.add(team.title, column, load.calls_per_second, found)
                    tails.add(team.title, column, percentile(load.took, 0.99) * 1e3, found)
        bench.say(f"searches on {name}, round {turn + 1}")


def run_batched(bench: Bench) -> None:
    """Ask a hundred questions in one call; for hnswlib, one call of all its threads."""
    bench.ready("real", bench.real)
    table = bench.table("batched", f"{QUERIES_PER_CALL} queries a call, one client", "queries/s")
    for turn in range(bench.plan.rounds):
        for team in bench.able("batched"):
            with bench.trying(team, "batched"):
                workers = team.prepare("real", bench.real, per_call=QUERIES_PER_CALL)
                load = team.load(workers, 1, bench.plan.seconds)
                # By the time it took: with few and long calls, the last one ends well after the time is up.
                rate = len(load.took) * QUERIES_PER_CALL / sum(load.took)
                table.add(team.title, "queries/s", rate, bench.recalls.get((team.contender.name, "real")))
        bench.say(f"batched, round {turn + 1}")


def run_filtered(bench: Bench) -> None:
    """Search among all items, and among fewer and fewer of them."""
    bench.ready("real", bench.real)
    count = len(bench.real.data)
    times = bench.table("filtered", "one filtered search, by share of items that match", "ms", more_is_better=False)
    slower = bench.table(
        "filtered share", "the same, as a multiple of the unfiltered search", "×", more_is_better=False
    )
    true = {below: bench.real.data.true_keys(below) for below in LIMITS}
    recalls: dict[tuple[str, int], float] = {}
    for turn in range(bench.plan.rounds):
        for team in bench.able("filtered"):
            with bench.trying(team, "filtered"):
                unfiltered = _median_ms(bench, team, None)
                times.add(team.title, "all", unfiltered)
                for below in LIMITS:
                    cell = team.contender.name, below
                    if cell not in recalls:
                        recalls[cell] = team.recall("real", bench.real, true[below], below)
                    column = f"{below / BUCKETS:.1%}".replace(".0%", "%").replace("%", " %")
                    took = _median_ms(bench, team, below)
                    times.add(team.title, column, took, recalls[cell])
                    slower.add(team.title, column, took / unfiltered)
        bench.say(f"filtered, round {turn + 1}")
    bench.results.facts["items that match 0.1 %"] = str(count // BUCKETS)


def _median_ms(bench: Bench, team: Team, below: int | None) -> float:
    workers = team.prepare("real", bench.real, below=below)
    return statistics.median(team.load(workers, 1, max(0.2, bench.plan.seconds / 3)).took) * 1e3
