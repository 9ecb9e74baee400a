"""Two servers on one database: adds, deletes, snapshots, and merges in both directions at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.chaos.answers import Changer, check_searches, check_snapshots, listed, random_queries, search
from tests.chaos.book import Book, create, is_fine, same_items
from tests.chaos.result import Result
from tests.chaos.sites import WAIT_SECONDS, ChaosServer
from tests.chaos.world import World

NAME = "two servers"
MERGED = ("left", "right")
INDEXES = (*MERGED, "changing")
SECONDS = 1.0
"""How long the two work between checks."""

Clients = list[httpx.Client]
Work = Callable[[Clients, random.Random], None]


def run_pair(world: World, rounds: int, seed: int) -> Result:
    """Let two servers work side by side for `rounds` spans, and compare what they say after each."""
    result = Result(NAME, world.database, world.storage)
    rng, site = random.Random(seed), world.site()
    with site.server(LAKEHOUSE_MAINTENANCE_SECONDS="1") as first, site.server() as second:
        pair = Pair([first, second], result)
        with first.client() as client:
            create(client, *INDEXES)
        for number in range(rounds):
            if not world.has_time(result):
                break
            pair.work(rng)
            pair.check(f"span {number}", rng)
            check_snapshots(site, result, f"span {number}")
            result.rounds += 1
    result.notes.append(f"{pair.merges} merges, {pair.snapshots} snapshots")
    return result


class Pair:
    """Two servers and clients that go now to one, now to the other."""

    def __init__(self, servers: list[ChaosServer], result: Result) -> None:
        self.servers = servers
        self.result = result
        self.changes, self.moves = Book(result), Book(result)
        self.merges = self.snapshots = self._number = 0

    def work(self, rng: random.Random) -> None:
        self._number += 1
        works = [self._add, self._add, self._merge(*MERGED), self._merge(*reversed(MERGED)), self._snapshot]
        works += [self._changer(i) for i in range(2)]
        ended = threading.Event()

        def repeat(work: Work, own: random.Random) -> None:
            clients = [server.client() for server in self.servers]
            try:
                while not ended.is_set():
                    work(clients, own)
            finally:
                for client in clients:
                    client.close()

        with ThreadPoolExecutor(len(works)) as pool:
            running = [pool.submit(repeat, work, random.Random(rng.random())) for work in works]
            try:
                threading.Event().wait(SECONDS)  # how long they work, not something to wait for
            finally:
                ended.set()
            for done in running:
                done.result(WAIT_SECONDS)

    def check(self, when: str, rng: random.Random) -> None:
        """Both servers list the same items, those that were promised, and find the nearest of them."""
        one, other = (server.client() for server in self.servers)
        with one, other:
            stored = {name: listed(one, name) for name in INDEXES}
            self.moves.audit(stored["left"] | stored["right"], when)
            self.changes.audit(stored["changing"], when)
            for name in INDEXES:
                same = same_items(stored[name], listed(other, name))
                self.result.expect(same, f"{when}: the servers list other items of {name}")
                for client in (one, other):
                    check_searches(client, name, stored[name], self.result, rng)
                queries = random_queries(rng, 3)
                found = [search(client, name, self.result, queries, exact=True) for client in (one, other)]
                self.result.expect(found[0] == found[1], f"{when}: the servers answer otherwise on {name}")

    def _add(self, clients: Clients, rng: random.Random) -> None:
        self.moves.write(rng.choice(clients), rng.choice(MERGED), f"moving{rng.randrange(2**48)}", 1)

    def _merge(self, source: str, dest: str) -> Work:
        def merge(clients: Clients, rng: random.Random) -> None:
            body = {"dest": dest, "clear_source": True, "on_conflict": rng.choice(("skip", "overwrite"))}
            answer = rng.choice(clients).post(f"index/{source}/merge", json=body)
            self.merges += is_fine(answer, self.result)

        return merge

    def _snapshot(self, clients: Clients, rng: random.Random) -> None:
        answer = rng.choice(clients).post(f"index/{rng.choice(INDEXES)}/snapshot")
        self.snapshots += is_fine(answer, self.result)

    def _changer(self, number: int) -> Work:
        # What one server acknowledged is looked for through the other, or the same.
        changer = Changer(self.changes, "changing", f"{self._number}-{number}-")

        def change(clients: Clients, rng: random.Random) -> None:
            changer.step(rng.choice(clients), self.result, rng, rng.choice(clients))

        return change
