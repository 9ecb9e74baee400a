"""Snapshots damaged while no server ran: noticed where they are read, never answered from, never restored."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import Any

import httpx

from tests.chaos.answers import info, listed, random_queries, recover, search
from tests.chaos.book import Book, create, same_items
from tests.chaos.damage_kinds import Damage, damages
from tests.chaos.result import Result
from tests.chaos.sites import ChaosServer, Site
from tests.chaos.world import World

NAME = "damaged files"
WHOLE = "whole"
KINDS = 90
"""Indexes that are made; there must be at least as many as there are damages."""

Answers = dict[str, list[Any]]


def run_damages(world: World, rounds: int, seed: int, sample: int = KINDS) -> Result:
    """Damage snapshots in each way, or in some: start a server on them, then try to restore them. `rounds` times."""
    result = Result(NAME, world.database, world.storage)
    counts = [0, 0, 0]
    for number in range(rounds):
        site = world.site()
        with site.server() as server:
            scene = Scene(world, site, server, result, random.Random(seed + number))
            counts = [one + new for one, new in zip(counts, scene.play(sample), strict=True)]
    seen, to_see, refused = counts
    result.notes.append(f"noticed at load {seen}/{to_see}, refused by restore {refused}/{result.rounds}")
    return result


class Scene:
    """One index for each damage, and one that stays whole."""

    def __init__(self, world: World, site: Site, server: ChaosServer, result: Result, rng: random.Random) -> None:
        self.world = world
        self.site = site
        self.server = server
        self.result = result
        self.rng = rng
        self.queries = random_queries(rng, 3)
        self.damages: dict[str, tuple[str, Damage]] = {}

    def play(self, sample: int) -> tuple[int, int, int]:
        """Return the damages that were noticed at load, those that had to be, and those a restore has refused."""
        names = [WHOLE, *(f"damaged-{number:02}" for number in range(sample))]
        with self.server.client() as client:
            self._fill(client, names)
            items = {name: listed(client, name) for name in names}
            before = self._answers(client, names)
        self.server.stop()
        self._damage(names[1:])
        names = [WHOLE, *self.damages]
        self.result.rounds += len(self.damages)
        after: Answers = {}

        def right_at_once() -> bool:
            with self.server.client() as client:
                after.update(self._answers(client, names[:1]))
            return after[WHOLE] == before[WHOLE]

        recover(self.server.start, right_at_once, self.result)
        with self.server.client() as client:
            after = self._answers(client, names)
            for name in names:
                self.result.expect(before[name] == after[name], f"{self._title(name)}: other answers than before")
            seen, to_see = self._noticed(client)
        return seen, to_see, self._refused(items)

    def _fill(self, client: httpx.Client, names: list[str]) -> None:
        """Give each index some items and two snapshots, the second with its graph."""
        create(client, *names)
        book = Book(self.result)
        for version in (1, 2):
            for name in names:
                for batch in range(2):
                    book.write(client, name, f"{name}/{batch}", version)
            done = self.site.wrapped("index_snapshot", "--all")
            self.result.expect(done == 0, f"index_snapshot ended with {done}")

    def _damage(self, names: list[str]) -> None:
        """Damage the newest file of each index; the older one goes, but for the index that gets it in its place."""
        with_id = {
            info["name"]: info
            for info in json.loads(self.site.manage("index_restore", "--list", "--json").stdout)["backups"]
        }
        ids = {name: with_id[name]["uuid"].replace("-", "") for name in with_id}
        objects: dict[str, list[str]] = defaultdict(list)
        for row in self.site.snapshot_rows():
            objects[row.index_id].append(row.object_name)
        other = self._read(objects[ids[WHOLE]][-1])
        count = len(list(damages(other, b"", b"")))
        if count > KINDS:
            raise RuntimeError(f"{count} damages, but only {KINDS} indexes.")
        chosen = self.rng.sample(range(count), min(count, len(names)))
        for name, number in zip(names, sorted(chosen), strict=False):
            older, newest = objects[ids[name]]
            kinds = list(damages(self._read(newest), other, self._read(older)))
            self.damages[name] = newest, kinds[number]
            self.site.objects.write(newest, kinds[number].data)
            self.site.objects.write(older, None)

    def _noticed(self, client: httpx.Client) -> tuple[int, int]:
        """Count damages that are in the log and in the index's info; none is shown where nothing is damaged."""
        log = self.server.log()
        seen = to_see = 0
        for name, (path, damage) in self.damages.items():
            error = (info(client, name).get("snapshot") or {}).get("error")
            to_see += damage.is_seen_at_load
            noticed = bool(error) and path in log
            seen += noticed and damage.is_seen_at_load
            fits = noticed == damage.is_seen_at_load
            self.result.expect(fits, f"{self._title(name)}: the info says {error!r}")
        whole = (info(client, WHOLE).get("snapshot") or {}).get("error")
        self.result.expect(whole is None, f"the whole snapshot is said to have {whole!r}")
        alive = self.server.process is not None and self.server.process.poll() is None
        self.result.expect(alive, "the server has ended")
        return seen, to_see

    def _refused(self, items: dict[str, Any]) -> int:
        """Restore everything into an empty database: only what is whole comes back, and every damage is named."""
        empty = self.world.empty_beside(self.site)
        done = empty.manage("index_restore", "--json", check=False)
        self.result.expect(done.returncode == 1, f"index_restore ended with {done.returncode}")
        self.result.expect("Traceback" not in done.stderr, done.stderr[-2_000:])
        complaints = [line for line in done.stderr.splitlines() if not line.startswith("{")]  # those are the log's
        with empty.server() as server, server.client() as client:
            listing = client.get("index", params={"limit": 1_000}).json()["results"]
            restored = {one["name"] for one in listing}
            same = WHOLE in restored and same_items(listed(client, WHOLE), items[WHOLE])
            self.result.expect(same, f"{WHOLE} was not restored as it was: {done.stdout[-500:]} {done.stderr[-500:]}")
        refused = 0
        for name, (path, damage) in self.damages.items():
            named = damage.data is None or any(path in line for line in complaints)
            refused += self.result.expect(
                named and name not in restored, f"{self._title(name)}: restored, or not named by index_restore"
            )
        return refused

    def _answers(self, client: httpx.Client, names: list[str]) -> Answers:
        return {
            name: [search(client, name, self.result, self.queries, exact=exact) for exact in (True, False)]
            for name in names
        }

    def _read(self, path: str) -> bytes:
        data = self.site.objects.read(path)
        if data is None:
            raise RuntimeError(f"{path} is gone.")
        return data

    def _title(self, name: str) -> str:
        return f"{name} ({self.damages[name][1].what})" if name in self.damages else name
