"""Whether what a server answers is right, by brute force over the items it lists."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from tests.chaos.book import DIMENSION, Book, Items, State, is_fine, item
from tests.chaos.result import Result
from tests.chaos.sites import WAIT_SECONDS, Site
from tests.e2e.ledger import stored_items

K = 10
MIN_RECALL = 0.9
TOLERANCE = 1e-9

Listed = Mapping[str, Mapping[str, Any]]
Found = list[tuple[str, float]]


class Truth:
    """The items of an index, and the nearest of them, in float64."""

    def __init__(self, items: Listed) -> None:
        self.keys = sorted(items)
        self.metadata = {key: items[key]["metadata"] for key in self.keys}
        rows = [np.array(items[key]["vector"], np.float32) for key in self.keys]
        self.rows = np.array(rows, np.float64)

    def nearest(self, query: NDArray[np.float32], k: int) -> Found:
        far = np.linalg.norm(self.rows - query, axis=1) if self.keys else np.empty(0)
        ranked = sorted(zip(far.tolist(), self.keys, strict=True))[:k]
        return [(key, distance) for distance, key in ranked]

    def distances(self, query: NDArray[np.float32], keys: Sequence[str]) -> list[float]:
        place = {key: i for i, key in enumerate(self.keys)}
        return [float(np.linalg.norm(self.rows[place[key]] - query)) for key in keys]


def listed(client: httpx.Client, index: str) -> Items:
    """Return all items of an index by id."""
    return stored_items(client, f"index/{index}")


def random_queries(rng: random.Random, count: int, dimension: int = DIMENSION) -> list[list[float]]:
    """Return vectors that float32 holds exactly."""
    rows = np.random.default_rng(rng.randrange(2**32)).standard_normal((count, dimension)).astype(np.float32)
    return [row.tolist() for row in rows]


def search(
    client: httpx.Client, index: str, result: Result, queries: list[list[float]], *, exact: bool
) -> list[list[dict[str, Any]]] | None:
    """Search for several vectors; None when the answer, already counted, was no success."""
    answer = client.post(f"index/{index}/search", json={"vectors": queries, "k": K, "exact": exact})
    if not is_fine(answer, result):
        return None
    body = answer.json()
    if not body["exact"]:
        result.count_graph_answer()
    result.expect(body["exact"] or not exact, f"{index}: an exact search was answered as not exact")
    return list(body["results"])


def check_searches(client: httpx.Client, index: str, items: Listed, result: Result, rng: random.Random) -> float:
    """Check exact and graph searches, also for stored vectors; return the recall of the latter."""
    truth = Truth(items)
    stored = [list(items[key]["vector"]) for key in rng.sample(truth.keys, min(3, len(truth.keys)))]
    queries = [*random_queries(rng, 6), *stored]
    hits = 0
    for exact in (True, False):
        answers = search(client, index, result, queries, exact=exact)
        for query, found in zip(queries, answers or [], strict=False):
            hits += _check_hits(
                found, truth, np.array(query, np.float32), result, f"{index} exact={exact}", exact=exact
            )
    wanted = len(queries) * min(K, len(truth.keys))
    recall = hits / wanted if wanted else 1.0
    result.expect(recall >= MIN_RECALL, f"{index}: the recall is {recall:.3f}")
    return recall


def _check_hits(
    found: list[dict[str, Any]], truth: Truth, query: NDArray[np.float32], result: Result, where: str, *, exact: bool
) -> int:
    """Check one list of hits; return how many of the nearest are in a list that was not asked to be exact."""
    keys = [hit["id"] for hit in found]
    if not result.expect(set(keys) <= set(truth.keys), f"{where}: {set(keys) - set(truth.keys)} is not stored"):
        return 0
    far = [hit["distance"] for hit in found]
    right = np.allclose(far, truth.distances(query, keys), rtol=TOLERANCE, atol=TOLERANCE) and far == sorted(far)
    result.expect(right, f"{where}: distances {far} are not those of the items")
    fresh = all(hit["metadata"] == truth.metadata[hit["id"]] for hit in found)
    result.expect(fresh, f"{where}: old metadata")
    nearest = truth.nearest(query, K)
    if exact:
        result.expect(keys == [key for key, _ in nearest], f"{where}: {keys}, the nearest are {nearest}")
        return 0
    result.expect(len(keys) == len(nearest), f"{where}: {len(keys)} hits, expected {len(nearest)}")
    result.expect(not far or far[0] > 0 or keys[0] == nearest[0][0], f"{where}: a stored vector is not found")
    return len(set(keys) & {key for key, _ in nearest})


def recover(start: Callable[[], None], first: Callable[[], bool], result: Result) -> None:
    """Start a server and note how long it took to its first right answer."""
    started = time.monotonic()
    start()
    while not first():
        if time.monotonic() - started > WAIT_SECONDS:
            result.blame("wrong", f"no right answer within {WAIT_SECONDS:.0f} s of the start")
            return
        threading.Event().wait(0.005)
    result.recoveries.append(time.monotonic() - started)


def check_snapshots(site: Site, result: Result, when: str) -> int:
    """Check that every snapshot that counts is whole and every object known; return how many count."""
    rows = site.snapshot_rows()
    good = [row for row in rows if row.status == "verified"]
    for row in good:
        data = site.objects.read(row.object_name)
        found = None if data is None else (len(data), hashlib.sha256(data).hexdigest())
        whole = found == (row.size_bytes, row.sha256)
        if not whole:
            result.blame("torn", f"{when}: {row.object_name} counts and is {found}, not {row.size_bytes} bytes")
    strange = site.objects.names() - {row.object_name for row in rows}
    result.expect(not strange, f"{when}: objects that no row knows: {strange}")
    return len(good)


def info(client: httpx.Client, index: str) -> dict[str, Any]:
    answer = client.get(f"index/{index}")
    return dict(answer.json()) if answer.status_code == 200 else {}


def check_visible(client: httpx.Client, index: str, result: Result, batch: str, before: State, version: State) -> None:
    """A write that was answered is seen by the next search, and what it replaced is not; the batch is this caller's."""
    position = 7
    if version is not None:
        new = item(batch, position, version)
        hits = search(client, index, result, [new["vector"]], exact=False)
        first = hits[0][0] if hits and hits[0] else {}
        seen = (first.get("id"), first.get("distance"), first.get("metadata"))
        result.expect(hits is None or seen == (new["id"], 0.0, new["metadata"]), f"{new['id']} is not found: {seen}")
    if before is not None:
        old = item(batch, position, before)
        hits = search(client, index, result, [old["vector"]], exact=False)
        mine = [hit for hit in (hits[0] if hits else []) if hit["id"] == old["id"]]
        stale = [hit for hit in mine if version is None or not hit["distance"]]
        result.expect(not stale, f"what was deleted or replaced is found: {stale}")


class Changer:
    """A client that adds batches of its own, changes and deletes them, and looks for what it wrote."""

    def __init__(self, book: Book, index: str, prefix: str) -> None:
        self.book = book
        self.index = index
        self.prefix = prefix
        self._own: dict[str, int] = {}

    def step(
        self, client: httpx.Client, result: Result, rng: random.Random, searcher: httpx.Client | None = None
    ) -> bool:
        """Write once and search, perhaps by another server; return whether the write was acknowledged."""
        known = sorted(self._own)
        batch = rng.choice(known) if known and rng.random() < 0.6 else f"{self.prefix}{rng.randrange(2**48)}"
        before = self._own.get(batch)
        version: State = None if before and rng.random() < 0.4 else (before or 0) + 1
        if not self.book.write(client, self.index, batch, version):
            return False
        self._own.pop(batch, None)
        if version is not None:
            self._own[batch] = version
        check_visible(searcher or client, self.index, result, batch, before, version)
        return True
