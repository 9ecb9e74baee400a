"""A backup of one machine restored on an empty one, on either database, graph and all."""

from __future__ import annotations

import base64
import random
from typing import Any

import httpx
import numpy as np

from tests.chaos.answers import K, random_queries, recover
from tests.chaos.book import create, is_fine
from tests.chaos.result import Result
from tests.chaos.sites import Site
from tests.chaos.world import World
from vectors.distances import Float32Rows

NAME = "backup, restore"
ITEMS, DIMENSION = 12_000, 32
"""Above the product's own threshold, so that the snapshot has the graph everybody has."""

BATCH = 2_000
QUERIES = 50


def run_backup(world: World, rounds: int, seed: int) -> Result:
    """Back an index up and restore it on a machine with the other database, `rounds` times over."""
    result = Result(NAME, world.database, world.storage)
    rng = random.Random(seed)
    for _ in range(rounds):
        source = world.site(min_items=None)
        queries = random_queries(rng, QUERIES, DIMENSION)
        _fill(source, rng, result)
        source.manage("index_snapshot", "--all")
        before = _answers(source, queries, result)
        for database in dict.fromkeys((world.other_database, world.database)):
            empty = world.empty_beside(source, database=database, copied=True, min_items=None)
            done = empty.manage("index_restore", check=False)
            result.expect(done.returncode == 0, f"index_restore ended with {done.returncode}: {done.stderr[-500:]}")
            after = _answers(empty, queries, result)
            same = before == after
            result.expect(same, f"restored on {database}, the index answers otherwise")
            _drop_and_collect(empty, source, result)
            result.rounds += 1
    return result


def _drop_and_collect(restored: Site, source: Site, result: Result) -> None:
    """What is done to the restored index leaves the files it came from alone: they are the backup of another one."""
    before = source.objects.names(), restored.objects.names()
    with restored.server() as server, server.client() as client:
        for index in ("large", "small"):
            client.delete(f"index/{index}")
    restored.wrapped("vectors_maintain")
    after = source.objects.names(), restored.objects.names()
    result.expect(
        before == after, f"dropping a restored index has deleted {[b - a for b, a in zip(before, after, strict=True)]}"
    )


def _fill(site: Site, rng: random.Random, result: Result) -> None:
    rows = np.random.default_rng(rng.randrange(2**32)).standard_normal((ITEMS, DIMENSION)).astype("<f4")
    with site.server() as server, server.client() as client:
        create(client, "large", "small", dimension=DIMENSION)
        for start in range(0, ITEMS, BATCH):
            _add(client, "large", rows[start : start + BATCH], start, result)
        _add(client, "small", rows[:100], 0, result)
        # Changed and deleted items: the graph has dead labels, and numbers have gaps.
        _add(client, "large", rows[:500][::-1], 0, result)
        deleted = [f"{i:06}" for i in range(1_000, 1_500)]
        if is_fine(client.post("index/large/delete", json={"ids": deleted}), result):
            result.acknowledge()


def _add(client: httpx.Client, index: str, rows: Float32Rows, start: int, result: Result) -> None:
    items = [
        {"id": f"{start + i:06}", "vector_b64": base64.b64encode(row.tobytes()).decode(), "metadata": {"i": start + i}}
        for i, row in enumerate(rows)
    ]
    if is_fine(client.post(f"index/{index}/add", json={"items": items}), result):
        result.acknowledge()


def _answers(site: Site, queries: list[list[float]], result: Result) -> dict[str, Any]:
    """Return ids, distances and metadata a freshly started server finds, with a graph and by reading everything."""
    found: dict[str, Any] = {}

    def first() -> bool:
        with server.client() as client:
            return is_fine(client.post("index/large/search", json={"vector": queries[0]}), result)

    with site.server() as server:
        server.kill()
        recover(server.start, first, result)
        with server.client() as client:
            for index in ("large", "small"):
                for exact in (False, True):
                    body = {"vectors": queries, "k": K, "exact": exact}
                    answer = client.post(f"index/{index}/search", json=body).json()
                    found[f"{index} {exact}"] = answer["results"], answer["exact"]
                    if not answer["exact"]:
                        result.count_graph_answer()
                found[f"{index} count"] = client.get(f"index/{index}").json()["count"]
        loaded = f'"index loaded", "index": "large", "items": {ITEMS - 500}, "source": "snapshot"'
        result.expect(loaded in server.log(), "the graph was not loaded from the snapshot")
    result.expect(not found["large False"][1], "no graph took part")
    return found
