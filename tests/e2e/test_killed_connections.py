"""A busy server whose connections to Postgres are ended at random all the time: nothing is lost, torn or old."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.ledger import BATCH_ITEMS, Ledger, assert_unavailable, item, stored_items
from tests.e2e.own_postgres import TOKEN, OwnPostgres
from tests.postgres import run_postgres
from tests.processes import NO_TLS

pytestmark = pytest.mark.slow

API = "/v1/vectors/index"
SECONDS = 8.0
WAIT_SECONDS = 60
MERGED = ("left", "right")
END_ONE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = %s AND backend_type = 'client backend' ORDER BY random() LIMIT 1
"""

Work = Callable[[httpx.Client, random.Random], None]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPostgres]:
    with run_postgres() as postgres:
        yield OwnPostgres(postgres, tmp_path_factory.mktemp("own-postgres"))


class Traffic:
    """What clients do, each of them on batches of its own where it has to know what a search may show."""

    def __init__(self) -> None:
        self.moves = Ledger(outages=True)
        self.changes = Ledger(outages=True)
        self.counts: Counter[str] = Counter()
        self.moved = 0
        self._lock = threading.Lock()

    def post(self, client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer, None when the database was away."""
        answer = client.post(API + path, json=body)
        what = path.rpartition("/")[2]
        with self._lock:
            self.counts[f"{what} {answer.status_code}"] += 1
        if answer.status_code == 503:
            assert_unavailable(answer)
            return None
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def add(self, client: httpx.Client, rng: random.Random) -> None:
        self.moves.write(client, f"{API}/{rng.choice(MERGED)}", f"moving{rng.randrange(2**48)}", 1)

    def merge(self, client: httpx.Client, rng: random.Random) -> None:
        source, dest = rng.sample(MERGED, 2)
        done = self.post(client, f"/{source}/merge", {"dest": dest, "clear_source": True})
        self.moved += done["deleted"] if done else 0

    def changer(self, name: str) -> Work:
        """Return what writes batches that begin with `name`, and searches for them."""
        versions: dict[str, int] = {}

        def change(client: httpx.Client, rng: random.Random) -> None:
            known = sorted(versions)
            batch = rng.choice(known) if known and rng.random() < 0.7 else f"{name}{rng.randrange(2**48)}"
            deletes = batch in versions and rng.random() < 0.3
            version = versions.get(batch, 0) + 1
            versions[batch] = version
            self.changes.write(client, f"{API}/changing", batch, None if deletes else version)
            self._search(client, batch, version, name, rng)

        return change

    def _search(self, client: httpx.Client, batch: str, version: int, name: str, rng: random.Random) -> None:
        position = rng.randrange(BATCH_ITEMS)
        wanted = item(batch, position, version)
        body = {"vector": wanted["vector"], "k": 50, "include": ["metadata", "vector"]}
        found = self.post(client, "/changing/search", body)
        if found is None:
            return
        if self.changes.allowed[batch] == {version}:
            assert found["results"][0]["distance"] == 0.0, "a search did not see a write that was answered"
        for hit in found["results"]:
            own, _, place = hit["id"].partition("/")
            seen = hit["metadata"]["version"]
            same = {"id": hit["id"], "vector": hit["vector"], "metadata": hit["metadata"]}
            assert same == item(own, int(place), seen), "a search mixes two writes"
            if own.startswith(name):  # nobody else changes it meanwhile
                assert seen in self.changes.allowed[own], f"a search shows version {seen} of {own}"


def end_connections(own: OwnPostgres, database: str, ended: threading.Event, rng: random.Random) -> int:
    """End random connections to a database until told to stop; return how many."""
    count = 0
    with psycopg.connect(own.postgres.url("postgres"), autocommit=True) as connection:
        while not ended.wait(rng.choice((0.001, 0.01, 0.04))):
            count += len(connection.execute(END_ONE, [database]).fetchall())
    return count


def repeat(client: httpx.Client, work: Work, ended: threading.Event, rng: random.Random) -> None:
    while not ended.is_set():
        work(client, rng)


def run(own: OwnPostgres, database: str, client: httpx.Client, works: list[Work], seed: int) -> int:
    """Do everything at once for a while; return how many connections were ended."""
    ended = threading.Event()
    with ThreadPoolExecutor(len(works) + 1) as pool:
        killer = pool.submit(end_connections, own, database, ended, random.Random(seed))
        running = [
            pool.submit(repeat, client, work, ended, random.Random(seed + i)) for i, work in enumerate(works, start=1)
        ]
        try:
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline and not any(future.done() for future in running):
                ended.wait(0.05)
        finally:
            ended.set()
        for future in running:
            future.result(WAIT_SECONDS)
        return killer.result(WAIT_SECONDS)


def test_connections_that_end_at_random_lose_nothing_and_show_nothing_old(own: OwnPostgres, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    database = own.new_database()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with (
        own.server(own.postgres.url(database), tmp_path / "server") as server,
        httpx.Client(
            base_url=server.base_url, headers=headers, timeout=WAIT_SECONDS, trust_env=False, verify=NO_TLS
        ) as client,
    ):
        for name in (*MERGED, "changing"):
            assert client.post(API, json={"name": name, "dimension": 4, "distance": "euclidean"}).status_code == 201
        traffic = Traffic()
        works = [traffic.add, traffic.add, traffic.merge, traffic.changer("a"), traffic.changer("b")]
        kills = run(own, database, client, works, seed)
        started = time.monotonic()
        own.end_connections(database)
        _check_all(client, traffic)
        seconds = time.monotonic() - started
        log = server.log()

    answered = traffic.moves.answered + traffic.changes.answered
    away = traffic.moves.unavailable + traffic.changes.unavailable
    print(f"{kills} ended, writes {answered} answered, {away} × 503, {dict(traffic.counts)}")  # noqa: T201
    print(f"{traffic.moved} items moved; everything was read and compared {seconds:.2f} s after the last end")  # noqa: T201
    assert kills > 100
    assert traffic.moved > 0
    assert answered > away
    assert "Traceback" not in log


def _check_all(client: httpx.Client, traffic: Traffic) -> None:
    """Compare what is stored with the ledgers, and what searches find with what is stored; no 503 any more."""
    stored = {name: stored_items(client, f"{API}/{name}") for name in (*MERGED, "changing")}
    traffic.moves.check(stored["left"] | stored["right"])
    traffic.changes.check(stored["changing"])
    for name, items in stored.items():
        assert client.get(f"{API}/{name}").json()["count"] == len(items)
        for position in range(10):
            body = {"vector": [position / 3, float(position), 1, 2], "k": 40, "include": ["metadata", "vector"]}
            answers = [client.post(f"{API}/{name}/search", json={**body, "exact": exact}) for exact in (False, True)]
            found, exact = (answer.json()["results"] for answer in answers)
            assert found == exact
            assert len(found) == min(40, len(items))
            for hit in found:
                hit.pop("distance")
                assert hit == items[hit["id"]]
