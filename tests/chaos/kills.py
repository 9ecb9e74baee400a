"""SIGKILL at random moments, while clients add, change, delete, merge, search and take snapshots."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import numpy as np

from tests.chaos.answers import (
    Changer,
    K,
    Truth,
    check_searches,
    check_snapshots,
    listed,
    random_queries,
    recover,
    search,
)
from tests.chaos.book import BATCH_ITEMS, Book, create, is_fine, item
from tests.chaos.result import Result
from tests.chaos.sites import WAIT_SECONDS, ChaosServer
from tests.chaos.world import World

NAME = "kill at random"
INDEXES = ("changing", "left", "right", "still")
STILL_BATCHES = 20
LONGEST_SECONDS = 1.5

Work = Callable[[httpx.Client, random.Random], bool]
"""One step of a client; False when the server is gone."""


def run_kills(world: World, rounds: int, seed: int) -> Result:
    """Kill a server `rounds` times and check everything after each."""
    result = Result(NAME, world.database, world.storage)
    rng = random.Random(seed)
    recalls: list[float] = []
    # Maintenance every second: it too is cut off.
    site = world.site()
    with site.server(LAKEHOUSE_MAINTENANCE_SECONDS="1") as server:
        load = Load(server, result)
        load.begin()
        for number in range(rounds):
            if not world.has_time(result):
                break
            load.run_until_killed(rng, rng.uniform(0.2, LONGEST_SECONDS))
            check_snapshots(site, result, f"kill {number}, before the start")  # a search would mark what is no good
            recover(server.start, load.still_is_right, result)
            result.rounds += 1
            with server.client() as client:
                stored = {name: listed(client, name) for name in INDEXES}
                load.changes.audit(stored["changing"], f"kill {number}")
                load.moves.audit(stored["left"] | stored["right"], f"kill {number}")
                recalls += [check_searches(client, name, stored[name], result, rng) for name in INDEXES]
                for name in INDEXES:
                    count = client.get(f"index/{name}").json()["count"]
                    result.expect(count == len(stored[name]), f"{name}: count {count} of {len(stored[name])} items")
            check_snapshots(site, result, f"kill {number}")
        good = sum(row.status == "verified" for row in site.snapshot_rows())
    cut_off = load.changes.cut_off + load.moves.cut_off
    result.notes.append(
        f"{cut_off} writes cut off, {load.snapshots} snapshots, {good} kept, worst recall {min(recalls):.3f}"
    )
    return result


class Load:
    """Clients that work until the server is gone."""

    def __init__(self, server: ChaosServer, result: Result) -> None:
        self.server = server
        self.result = result
        self.changes, self.moves = Book(result), Book(result)
        self.snapshots = 0
        self._round = 0
        self._still = Truth({})

    def begin(self) -> None:
        items = [item(f"still{batch}", i, 1) for batch in range(STILL_BATCHES) for i in range(BATCH_ITEMS)]
        self._still = Truth({one["id"]: one for one in items})
        with self.server.client() as client:
            create(client, *INDEXES)
            is_fine(client.post("index/still/add", json={"items": items}), self.result)
            is_fine(client.post("index/still/snapshot"), self.result)

    def run_until_killed(self, rng: random.Random, seconds: float) -> None:
        """Let all clients work for this time, kill the server, and wait for them."""
        self._round += 1
        works: list[Work] = [
            *(self._changer(f"{self._round}-{i}-") for i in range(2)),
            *(self._mover(f"{self._round}-{i}-") for i in range(2)),
            self._snapshot,
            self._search_still,
        ]
        with ThreadPoolExecutor(len(works)) as pool:
            running: list[Future[None]] = [
                pool.submit(self._repeat, work, random.Random(rng.random())) for work in works
            ]
            try:
                threading.Event().wait(seconds)  # how long the server lives, not something to wait for
            finally:
                self.server.kill()
            for done in running:
                done.result(WAIT_SECONDS)

    def still_is_right(self) -> bool:
        """Return whether the index nobody changes is answered to the last digit."""
        with self.server.client() as client:
            return self._search_still(client, random.Random(0))

    def _repeat(self, work: Work, rng: random.Random) -> None:
        with self.server.client() as client:
            try:
                while work(client, rng):
                    pass
            except httpx.TransportError:
                return

    def _changer(self, prefix: str) -> Work:
        changer = Changer(self.changes, "changing", prefix)
        return lambda client, rng: changer.step(client, self.result, rng)

    def _mover(self, prefix: str) -> Work:
        def move(client: httpx.Client, rng: random.Random) -> bool:
            source, dest = rng.sample(("left", "right"), 2)
            if rng.random() < 0.7:
                return self.moves.write(client, source, f"{prefix}{rng.randrange(2**48)}", 1)
            answer = client.post(f"index/{source}/merge", json={"dest": dest, "clear_source": True})
            return is_fine(answer, self.result)

        return move

    def _snapshot(self, client: httpx.Client, rng: random.Random) -> bool:
        done = is_fine(client.post(f"index/{rng.choice(INDEXES)}/snapshot"), self.result)
        self.snapshots += done
        return done

    def _search_still(self, client: httpx.Client, rng: random.Random) -> bool:
        (query,) = random_queries(rng, 1)
        found = search(client, "still", self.result, [query], exact=True)
        keys = [hit["id"] for hit in found[0]] if found else []
        nearest = [key for key, _ in self._still.nearest(np.array(query, np.float32), K)]
        return self.result.expect(keys == nearest, f"still: found {keys}, expected {nearest}")
