"""Against real servers: every call they have, many threads, a server that is killed, a Python without numpy."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lakehouse_client import (
    Client,
    Conflict,
    Forbidden,
    InvalidInput,
    Item,
    NotFound,
    TooLarge,
    Unauthorized,
    transport,
)
from tests.conftest import MakeServer
from tests.processes import ROOT, Server

DIMENSION = 8
THREADS = 6
KILLS = 3
CHUNK_ITEMS = 40


@pytest.fixture
def name(real: Client, index_name: str) -> str:
    real.create_index(index_name, DIMENSION, distance="euclidean")
    return index_name


def rows(count: int, seed: int = 7) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal((count, DIMENSION), np.float32)


def test_an_index_from_its_creation_to_its_end(real: Client, index_name: str) -> None:
    made = real.create_index(index_name, 3, distance="dot", m=8, ef_construction=50, ef_search=20)

    assert (made.dimension, made.distance, made.m, made.ef_construction, made.ef_search) == (3, "dot", 8, 50, 20)
    assert (made.count, made.seq, made.snapshot) == (0, 0, None)
    assert real.get_index(index_name) == made
    assert made in list(real.list_indexes())
    with pytest.raises(Conflict) as caught:
        real.create_index(index_name, 3)
    assert caught.value.code == "index_exists"
    real.delete_index(index_name)
    with pytest.raises(NotFound) as gone:
        real.index(index_name).add([])
    assert gone.value.code == "index_not_found"


def test_items_come_back_as_they_were_sent(real: Client, name: str) -> None:
    index, vectors = real.index(name), rows(250)
    ids = [f"{i:03} é\U0001f600/" for i in range(250)]
    metadata: list[dict[str, Any] | None] = [{"n": i, "big": 10**30} if i % 2 else None for i in range(250)]

    added = index.add_arrays(ids, vectors, metadata, batch_items=100)

    assert (added.added, added.updated, added.count) == (250, 0, 250)
    items = [Item(key, tuple(row.tolist()), data) for key, row, data in zip(ids, vectors, metadata, strict=True)]
    fetched = index.fetch([*reversed(ids), "nobody", "nowhere"], batch_items=60)
    assert [(item.id, item.metadata) for item in fetched.items] == [(one.id, one.metadata) for one in reversed(items)]
    assert np.array_equal(np.array([item.vector for item in fetched.items], np.float32), vectors[::-1])
    assert fetched.missing == ("nobody", "nowhere")
    assert [item.id for item in index.iter_items(page_items=33)] == ids
    assert [item.vector for item in index.iter_items(include=["vector"], page_items=300)][5] is not None
    assert index.add(index.iter_items(include=["metadata", "vector"])).updated == 250
    assert index.add([]).count == 250
    deleted = index.delete([*ids[:120], "nobody"], batch_items=50)
    assert (deleted.deleted, deleted.missing) == (120, ("nobody",))
    assert real.get_index(name).count == 130


def test_searches_find_what_is_nearest(real: Client, name: str) -> None:
    index, vectors = real.index(name), rows(60)
    index.add_arrays([f"{i:02}" for i in range(60)], vectors, [{"n": i} for i in range(60)])
    true = [f"{i:02}" for i in np.linalg.norm(vectors - vectors[4], axis=1).argsort()]

    by_array = index.search(vectors[4], k=5)
    by_list = index.search(vectors[4].tolist(), k=5, include=["vector"])

    assert [hit.id for hit in by_array.hits] == [hit.id for hit in by_list.hits] == true[:5]
    assert (by_array.hits[0].distance, by_array.hits[0].metadata, by_array.hits[0].vector) == (0.0, {"n": 4}, None)
    assert by_list.hits[0].metadata is None
    assert np.array_equal(np.array(by_list.hits[0].vector, np.float32), vectors[4])
    assert by_array.exact
    assert by_array.seq == 60
    assert [hit.id for hit in index.search(id="04", k=4).hits] == true[1:5]
    nearest = index.search(id="04", k=1, include=[]).hits[0].distance
    assert index.search(id="04", max_distance=nearest / 2, exact=True).hits == ()
    many = index.search_many(vectors, k=1)
    assert [hits[0].id for hits in many.results] == [f"{i:02}" for i in range(60)]
    found = real.search([name], vectors[4], k=2)
    assert [(hit.index, hit.id) for hit in found.hits] == [(name, true[0]), (name, true[1])]
    assert found.exact


def test_a_merge_moves_items(real: Client, name: str) -> None:
    other = f"{name}-other"
    real.create_index(other, DIMENSION, distance="euclidean")
    real.index(name).add_arrays(["a", "b", "c"], rows(3))
    real.index(other).add_arrays(["c"], rows(1))

    planned = real.index(name).merge_into(other, clear_source=True, dry_run=True)
    with pytest.raises(Conflict, match="'c'"):
        real.index(name).merge_into(other, on_conflict="error")
    done = real.index(name).merge_into(other, clear_source=True)

    assert (planned.added, planned.skipped, planned.source_count) == (2, 1, 3)
    assert (done.added, done.skipped, done.deleted, done.source_count, done.dest_count) == (2, 1, 2, 1, 3)


def test_refusals_name_the_place_in_what_was_passed(real: Client, name: str) -> None:
    items = [{"id": f"{i}", "vector": [1.0] * (DIMENSION - (i in (7, 8)))} for i in range(10)]

    with pytest.raises(InvalidInput) as caught:
        real.index(name).add(items, batch_items=5)

    assert [fault.pointer for fault in caught.value.errors] == ["/items/7/vector_b64", "/items/8/vector_b64"]
    assert caught.value.items_done == real.get_index(name).count == 5
    assert re.search(r"400 invalid_input: /items/7/vector_b64: Expected .* \[request [0-9a-f]{16}\]", str(caught.value))
    with pytest.raises(TooLarge, match="Send several batches"):
        real.index(name).add([{"id": "a", "vector": [1.0] * DIMENSION}] * 10_001, batch_items=20_000)


def test_the_server_is_alive_and_ready(real: Client) -> None:
    assert real.health()
    assert real.ready().is_ready


def test_a_token_opens_what_is_closed(make_server: MakeServer) -> None:
    server = make_server(LAKEHOUSE_AUTH_TOKEN="a-secret-of-this-test")

    with Client(server.base_url) as client, pytest.raises(Unauthorized, match="Bearer <token>"):
        client.get_index("docs")
    with Client(server.base_url, "a-secret-of-this-test") as client:
        assert client.create_index("docs", 3).name == "docs"
    read = server.manage("token_create", "reader", "--scope", "read").stdout.split()[-1]
    with Client(server.base_url, read) as client, pytest.raises(Forbidden):
        client.create_index("more", 3)


def test_threads_share_a_client(real: Client, name: str) -> None:
    index, vectors = real.index(name), rows(THREADS * 30)

    def work(thread: int) -> None:
        for i in range(thread * 30, thread * 30 + 30):
            index.add_arrays([str(i)], vectors[i : i + 1], [{"n": i}])
            hit = index.search(vectors[i], k=1).hits[0]
            assert (hit.id, hit.metadata) == (str(i), {"n": i})
            with pytest.raises(NotFound):
                index.search(id=f"nobody-{i}")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))

    assert real.get_index(name).count == THREADS * 30


@pytest.mark.slow
def test_a_client_that_adds_does_not_notice_that_the_server_is_killed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        threading.Event().wait(seconds)

    monkeypatch.setattr(transport, "sleep", wait)
    answered = threading.Semaphore(0)
    stop = threading.Event()

    def add(client: Client, thread: int) -> int:
        count = 0
        while not stop.is_set():
            ids = [f"{thread}/{count + i}" for i in range(CHUNK_ITEMS)]
            client.index("docs").add_arrays(ids, rows(CHUNK_ITEMS, seed=count), batch_items=20)
            count += CHUNK_ITEMS
            answered.release()
        return count

    with Client(server.base_url, retries=60, max_backoff_seconds=0.5) as client, ThreadPoolExecutor(2) as pool:
        client.create_index("docs", DIMENSION)
        work = [pool.submit(add, client, thread) for thread in range(2)]
        try:
            for _ in range(KILLS):
                for _ in range(5):
                    assert answered.acquire(timeout=60)
                server.kill()
                server.start()
        finally:
            stop.set()
        counts = [done.result(120) for done in work]
        stored = {item.id for item in client.index("docs").iter_items(include=[])}

    assert len(waits) >= KILLS
    assert stored == {f"{thread}/{i}" for thread, count in enumerate(counts) for i in range(count)}


WITHOUT_NUMPY = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("numpy", "django", "orjson", "httpx"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
from lakehouse_client import Client
with Client(sys.argv[1]) as client:
    client.create_index(sys.argv[2], 2)
    index = client.index(sys.argv[2])
    index.add([{"id": "a", "vector": [0.1, 1]}, {"id": "b", "vector": (1.0, 0.0)}])
    index.add_arrays(["c"], [[1, 2]])
    print(index.search([1, 0], k=1, include=["vector"]).hits[0], index.search_many([[1, 0]], k=1).results[0][0].id)
    print(index.fetch(["a"]).items[0].vector, "numpy" in sys.modules)
"""


def test_the_client_works_where_there_is_no_numpy(shared_server: Server, index_name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_NUMPY, shared_server.base_url, index_name],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.stderr == ""
    hit, vector = done.stdout.splitlines()
    assert hit == "Hit(id='b', distance=0.0, metadata=None, vector=(1.0, 0.0)) b"
    assert vector == "(0.1, 1.0) False"


def test_the_example_of_the_readme_runs(shared_server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "lakehouse_client" / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)

    exec(example.replace("http://127.0.0.1:8000", shared_server.base_url), {})  # noqa: S102

    a, b, error = capsys.readouterr().out.splitlines()
    assert (a, b.partition(" ")[0], error) == ("a 0.0 {'lang': 'en'}", "b", "item_not_found")
