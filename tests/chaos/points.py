"""SIGKILL at named points of writes, graph work, snapshots, merges, purges, restores and drops."""

from __future__ import annotations

import random
from contextlib import closing

import httpx

from tests.chaos.answers import check_searches, check_snapshots, listed, random_queries, recover, search
from tests.chaos.book import create, is_fine, same_items
from tests.chaos.restored import Restorer
from tests.chaos.result import Result
from tests.chaos.sites import ChaosServer, Site
from tests.chaos.triggers import INDEXES, Case, Triggers
from tests.chaos.world import World

NAME = "fault points"

CASES = (
    Case("head raised", "add"),
    Case("rows half written", "add"),
    Case("writes before commit", "add"),
    Case("writes after commit", "add"),
    Case("rows buried", "delete"),
    Case("writes after commit", "delete"),
    Case("graph half added", "graph"),
    Case("graph inside hnswlib", "graph"),
    Case("graph saved", "snapshot"),
    Case("file half written", "snapshot"),
    Case("file written, not synced", "snapshot"),
    Case("snapshot_records before commit", "snapshot"),  # of the announcement
    Case("snapshot announced", "snapshot"),
    Case("object half saved", "snapshot"),
    Case("object saved, not read back", "snapshot"),
    Case("object read back, not accepted", "snapshot"),
    Case("snapshot_records before commit", "snapshot", 2),  # of the acceptance
    Case("snapshot accepted", "snapshot"),
    Case("object deleted, its row not", "maintain"),
    Case("tombstones deleted, not committed", "maintain", 2),
    Case("maintenance after commit", "maintain", 2),
    Case("graph fetched", "load"),
    Case("graph loaded", "load"),
    Case("merge: written there, not yet removed here", "merge", 2),
    Case("merge before commit", "merge", 2),
    Case("merge after commit", "merge", 2),
    Case("rebuilt graph published, not switched to", "rebuild"),
    Case("rows half written", "restore"),
    Case("restore before commit", "restore"),
    Case("restore after commit", "restore"),
    Case("rows of the index deleted, not committed", "drop"),
    Case("indexes after commit", "drop"),
    Case("object deleted, its row not", "drop"),
)


def run_points(world: World, rounds: int, seed: int, sample: int = len(CASES)) -> Result:
    """Die at each point, or at some of them, `rounds` times over, in the life of one installation."""
    result = Result(NAME, world.database, world.storage)
    rng = random.Random(seed)
    site = world.site()
    with site.server() as server:
        life = Life(world, site, server, result, rng)
        with closing(life.restorer):
            life.begin()
            for _ in range(rounds):
                chosen = set(rng.sample(CASES, sample))
                for case in [case for case in CASES if case in chosen]:
                    if not world.has_time(result):
                        break
                    life.die_at(case)
                    result.rounds += 1
        life.end()
    return result


class Life(Triggers):
    """An installation that is killed again and again, and the check of all it was told."""

    def __init__(self, world: World, site: Site, server: ChaosServer, result: Result, rng: random.Random) -> None:
        super().__init__(world, site, server, result, rng)
        self.recalls: list[float] = []
        self.restorer = Restorer(world.empty_beside(site))

    def begin(self) -> None:
        with self.server.client() as client:
            create(client, *INDEXES)
            for _ in range(3):
                self.change(client)
                self.add_to_left(client)
            self.snapshot_all(client)

    def end(self) -> None:
        self.site.wrapped("vectors_maintain")
        with self.server.client() as client:
            for name in INDEXES:
                client.delete(f"index/{name}")
        self.site.wrapped("vectors_maintain")
        left = self.site.objects.names()
        self.result.expect(not left, f"objects of dropped indexes are still there: {left}")
        self.result.notes.append(f"worst recall {min(self.recalls):.3f}")

    def die_at(self, case: Case) -> None:
        """Lead to the point, see that the process died there, start anew, and check everything."""
        when = f"{case.point!r} at {case.trigger}"
        self.lead_to(case, when)
        self.site.disarm()
        check_snapshots(self.site, self.result, f"{when}, before the start")  # a search would mark what is no good
        if self.server.process is not None and self.server.process.poll() is not None:
            self.server.kill()
            recover(self.server.start, self._first_answer, self.result)
        with self.server.client() as client:
            self._check(client, when)

    def _check(self, client: httpx.Client, when: str) -> None:
        """Everything acknowledged is there, every snapshot that counts is whole, and a new one can be restored."""
        stored = {name: listed(client, name) for name in INDEXES}
        self.changes.audit(stored["changing"], when)
        self.moves.audit(stored["left"] | stored["right"], when)
        for batch in [batch for batch in self.batches if self.changes.allowed.get(batch) == {None}]:
            del self.batches[batch]
        for name in INDEXES:
            self.recalls.append(check_searches(client, name, stored[name], self.result, self.rng))
        check_snapshots(self.site, self.result, when)
        self.snapshot_all(client)
        good = check_snapshots(self.site, self.result, when)
        self.result.expect(good >= len(INDEXES), f"{when}: only {good} snapshots count")
        queries = random_queries(self.rng, 3)
        restored = self.restorer.contents(queries)
        good_names = [row.object_name for row in self.site.snapshot_rows() if row.status == "verified"]
        blamed = [name for name in good_names if name in self.restorer.problems]
        self.result.expect(not blamed, f"{when}: a restore complained of {self.restorer.problems}")
        for name in INDEXES:
            same = same_items(restored[name]["items"], stored[name])
            self.result.expect(same, f"{when}: {name} was restored with other items")
            found = search(client, name, self.result, queries, exact=True)
            self.result.expect(restored[name]["searches"] == found, f"{when}: restored, {name} answers otherwise")

    def _first_answer(self) -> bool:
        with self.server.client() as client:
            answer = client.post("index/changing/search", json={"vectors": random_queries(self.rng, 1), "exact": True})
            return is_fine(answer, self.result)
