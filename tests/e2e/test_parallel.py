"""Two servers on one database: adds, deletes and merges in both directions at once lose nothing and never fail."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from tests.e2e.ledger import Ledger, stored_items
from tests.e2e.model import distances
from tests.processes import Server

pytestmark = pytest.mark.slow

API = "/v1/vectors/index"
SECONDS = 10.0
WAIT_SECONDS = 60
MERGED = ("left", "right")

Work = Callable[[httpx.Client, random.Random], None]


@pytest.fixture
def servers(server: Server) -> Iterator[list[Server]]:
    """Two servers on the same data."""
    second = Server(server.data_dir, server.database_url)
    try:
        second.start()
        yield [server, second]
    finally:
        second.kill()


def post(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(API + path, json=body)
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


def test_two_servers_and_merges_in_both_directions_lose_nothing(
    servers: list[Server], make_http: Callable[[Server], httpx.Client]
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    clients = [make_http(server) for server in servers]
    for name in (*MERGED, "changing"):
        post(clients[0], "", {"name": name, "dimension": 4, "distance": "euclidean"})
    moves, changes = Ledger(), Ledger()
    merges: list[dict[str, Any]] = []
    ended = threading.Event()

    def add(client: httpx.Client, rng: random.Random) -> None:
        assert moves.write(client, f"{API}/{rng.choice(MERGED)}", f"moving{rng.randrange(2**48)}", 1)

    def merge(source: str, dest: str) -> Work:
        def run(client: httpx.Client, rng: random.Random) -> None:
            body = {"dest": dest, "clear_source": True, "on_conflict": rng.choice(("skip", "overwrite"))}
            merges.append(post(client, f"/{source}/merge", body))

        return run

    def change(own: dict[str, int]) -> Work:
        def run(client: httpx.Client, rng: random.Random) -> None:
            batch = rng.choice(sorted(own)) if own and rng.random() < 0.6 else f"changing{rng.randrange(2**48)}"
            version = None if batch in own and rng.random() < 0.4 else own.get(batch, 0) + 1
            assert changes.write(client, f"{API}/changing", batch, version)
            own.pop(batch, None)
            if version is not None:
                own[batch] = version
                key = f"{batch}/{rng.randrange(20)}"
                # The other server, or this one, sees it at once (P3).
                found = post(rng.choice(clients), "/changing/search", {"id": key, "k": 1, "include": ["vector"]})
                assert found["results"][0]["distance"] <= 1.0

        return run

    def repeat(work: Work, rng: random.Random) -> int:
        done = 0
        while not ended.is_set():
            work(rng.choice(clients), rng)
            done += 1
        return done

    works = [add, add, merge(*MERGED), merge(*reversed(MERGED)), change({}), change({})]
    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(repeat, work, random.Random(seed + i)) for i, work in enumerate(works)]
        try:
            threading.Event().wait(SECONDS)
        finally:
            ended.set()
        done = [future.result(WAIT_SECONDS) for future in running]

    assert all(done), done
    assert sum(result["deleted"] for result in merges) > 0
    for client in clients:
        left, right = (stored_items(client, f"{API}/{name}") for name in MERGED)
        moves.check(left | right)
        changes.check(stored_items(client, f"{API}/changing"))
    rng = random.Random(seed)
    for name in (*MERGED, "changing"):
        listings = [stored_items(client, f"{API}/{name}") for client in clients]
        assert listings[0] == listings[1]
        assert [client.get(f"{API}/{name}").json()["count"] for client in clients] == [len(listings[0])] * 2
        _check_searches(clients, name, list(listings[0].values()), rng)


def _check_searches(clients: list[httpx.Client], name: str, items: list[dict[str, Any]], rng: random.Random) -> None:
    """Both servers find the same items, and they are the nearest ones."""
    vectors = [np.array(item["vector"], np.float32) for item in items]
    for _ in range(10):
        query = np.array([rng.uniform(0, 5), rng.uniform(0, 20), 1, 2], np.float32)
        answers = [post(client, f"/{name}/search", {"vector": query.tolist(), "k": 50}) for client in clients]
        assert answers[0]["results"] == answers[1]["results"]
        found = [hit["distance"] for hit in answers[0]["results"]]
        nearest = np.sort(distances(query, vectors, "euclidean")[0])[:50].tolist() if items else []
        assert found == pytest.approx(nearest, rel=1e-9)
