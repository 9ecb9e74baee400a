"""What leads a process to each fault point."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from tests.chaos.answers import listed, random_queries
from tests.chaos.book import Book, create, is_fine, same_items
from tests.chaos.restored import Restorer
from tests.chaos.result import Result
from tests.chaos.sites import WAIT_SECONDS, ChaosServer, Site
from tests.chaos.world import World

INDEXES = ("changing", "left", "right")
DEATH_SECONDS = 20.0
KILLED = -9
MIN_BATCHES = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A point to die at for the `count`-th time, and what leads there."""

    point: str
    trigger: str
    count: int = 1


class Triggers:
    """An installation, what it was told, and how to make it pass a point."""

    def __init__(self, world: World, site: Site, server: ChaosServer, result: Result, rng: random.Random) -> None:
        self.world = world
        self.site = site
        self.server = server
        self.result = result
        self.rng = rng
        self.changes, self.moves = Book(result), Book(result)
        self.batches: dict[str, int] = {}
        self.number = 0

    def lead_to(self, case: Case, when: str) -> None:
        """Make a process die at this point."""
        trigger: Callable[[Case, str], None] = getattr(self, f"_{case.trigger}")
        trigger(case, when)

    def change(self, client: httpx.Client) -> None:
        """Add a batch, or a new version of one; there are always enough for a graph."""
        if len(self.batches) >= MIN_BATCHES and self.rng.random() < 0.5:
            batch = self.rng.choice(sorted(self.batches))
            self.batches[batch] += 1
        else:
            self.number += 1
            batch = f"changing{self.number}"
            self.batches[batch] = 1
        self.changes.write(client, "changing", batch, self.batches[batch])

    def delete_one(self, client: httpx.Client) -> None:
        batch = self.rng.choice(sorted(self.batches))
        del self.batches[batch]
        self.changes.write(client, "changing", batch, None)

    def add_to_left(self, client: httpx.Client) -> None:
        self.number += 1
        self.moves.write(client, "left", f"moving{self.number}", 1)

    def snapshot_all(self, client: httpx.Client) -> None:
        for name in INDEXES:
            is_fine(client.post(f"index/{name}/snapshot"), self.result)

    def _dies(self, case: Case, when: str, act: Callable[[httpx.Client], Any]) -> None:
        self.site.arm(case.point, case.count)
        with self.server.client() as client, suppress(httpx.TransportError):
            act(client)
        died = self.server.wait_for_death(DEATH_SECONDS)
        self.result.expect(died, f"{when}: the point was not reached")

    def _dies_in_command(self, case: Case, when: str, site: Site, *arguments: str) -> None:
        site.arm(case.point, case.count)
        status = site.wrapped(*arguments)
        site.disarm()
        self.result.expect(status == KILLED, f"{when}: the point was not reached, exit status {status}")

    def _wait_for_graph(self, client: httpx.Client) -> None:
        """Search until a graph takes part."""
        deadline = time.monotonic() + WAIT_SECONDS
        while client.post("index/changing/search", json={"vectors": random_queries(self.rng, 1)}).json()["exact"]:
            if time.monotonic() > deadline:
                raise RuntimeError("No graph was built.")
            threading.Event().wait(0.01)

    def _add(self, case: Case, when: str) -> None:
        self._dies(case, when, self.change)

    def _delete(self, case: Case, when: str) -> None:
        with self.server.client() as client:
            self.change(client)
        self._dies(case, when, self.delete_one)

    def _graph(self, case: Case, when: str) -> None:
        def add_and_search(client: httpx.Client) -> None:
            self.change(client)
            self._wait_for_graph(client)

        self._dies(case, when, add_and_search)

    def _snapshot(self, case: Case, when: str) -> None:
        with self.server.client() as client:
            self._wait_for_graph(client)
        self._dies(case, when, lambda client: client.post("index/changing/snapshot"))

    def _load(self, case: Case, when: str) -> None:
        self.site.wrapped("index_snapshot", "changing")  # with its whole graph
        self.server.stop()
        self.server.start()
        body = {"vectors": random_queries(self.rng, 1)}
        self._dies(case, when, lambda client: client.post("index/changing/search", json=body))

    def _merge(self, case: Case, when: str) -> None:
        with self.server.client() as client:
            self.add_to_left(client)
        body = {"dest": "right", "clear_source": True}
        self._dies(case, when, lambda client: client.post("index/left/merge", json=body))

    def _maintain(self, case: Case, when: str) -> None:
        with self.server.client() as client:
            self.change(client)
            self.delete_one(client)
            self.site.wrapped("vectors_maintain")  # notes the age of the tombstones
            for _ in range(3):  # more than are kept
                self.snapshot_all(client)
        self._dies_in_command(case, when, self.site, "vectors_maintain")

    def _rebuild(self, case: Case, when: str) -> None:
        self._dies_in_command(case, when, self.site, "index_rebuild", "changing")

    def _restore(self, case: Case, when: str) -> None:
        with self.server.client() as client:
            self.snapshot_all(client)
            stored = {name: listed(client, name) for name in INDEXES}
        empty = self.world.empty_beside(self.site)
        self._dies_in_command(case, when, empty, "index_restore")
        with closing(Restorer(empty)) as restorer:
            found = restorer.contents([])
        for name in INDEXES:
            same = same_items(found[name]["items"], stored[name])
            self.result.expect(same, f"{when}: {name}, restored again, has other items")

    def _drop(self, case: Case, when: str) -> None:
        with self.server.client() as client:
            create(client, "doomed")
            Book(self.result).write(client, "doomed", "doomed", 1)
            is_fine(client.post("index/doomed/snapshot"), self.result)
        self._dies(case, when, lambda client: client.delete("index/doomed"))
        self.site.disarm()
        self.server.kill()
        self.server.start()
        with self.server.client() as client:
            answer = client.get("index/doomed")
            if answer.status_code == 200:
                self.result.expect(len(listed(client, "doomed")) == 20, f"{when}: it was dropped by half")
                client.delete("index/doomed")
            gone = client.get("index/doomed").status_code == 404
            self.result.expect(gone, f"{when}: the index cannot be dropped")
