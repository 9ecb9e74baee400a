"""Merging one index into another: only the service can do that inside the server."""

from __future__ import annotations

import time

from benchmarks.bench import Bench
from benchmarks.contenders.catalogue import SERVICE
from benchmarks.http_call import Connection
from benchmarks.teams import Stored, Team

API = "/v1/vectors/index"


def run_merge(bench: Bench) -> None:
    """Copy an index into an empty one, and another into the two-fold one that makes."""
    team = bench.teams[SERVICE]
    stored = bench.real
    count = len(stored.data)
    table = bench.table("merge", f"merge of {count:,} × {stored.data.dimension}", "items/s")
    port = team.served.config["port"]
    for name, prefix in (("merge-a", "a-"), ("merge-b", "b-")):
        _load(team, stored, name, prefix)
    for turn in range(bench.plan.rounds):
        dest = f"merge-dest-{turn}"
        team.create(dest, stored)
        for source, column in (("merge-a", "into an empty index"), ("merge-b", f"into one of {count:,}")):
            table.add(team.title, column, count / _merge_seconds(port, source, dest, count))
        team.drop(dest)
        bench.say(f"merge, round {turn + 1}")
    for name in ("merge-a", "merge-b"):
        team.drop(name)


def _load(team: Team, stored: Stored, name: str, prefix: str) -> None:
    team.create(name, stored)
    team.stage(stored, 1_000, len(stored.data), prefix)
    team.first.ask("add", name=name, most_seconds=1e9)


def _merge_seconds(port: int, source: str, dest: str, count: int) -> float:
    connection = Connection(port)
    started = time.perf_counter()
    answer = connection.call("POST", f"{API}/{source}/merge", {"dest": dest})
    took = time.perf_counter() - started
    connection.close()
    if answer["added"] != count:
        raise RuntimeError(f"The merge added {answer['added']} of {count} items.")
    return took
