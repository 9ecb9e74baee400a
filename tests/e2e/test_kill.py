"""SIGKILL at random moments: what was answered is there after the restart, and every batch is whole."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import MakeServer
from tests.e2e.ledger import Ledger, item, stored_items
from tests.processes import NO_TLS, Server, end_group, start_manage

pytestmark = pytest.mark.slow

API = "/v1/vectors/index"
KILLS = 5  # `make chaos` kills many more
MERGE_ITEMS = 10_000
IMPORT_ITEMS, IMPORT_BATCH = 6_000, 20
WAIT_SECONDS = 60
STILL_ITEMS = 400

MakeHttp = Callable[[Server], httpx.Client]


def new_seed() -> int:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    return seed


def create(client: httpx.Client, *names: str, dimension: int = 4) -> None:
    for name in names:
        body = {"name": name, "dimension": dimension, "distance": "euclidean"}
        assert client.post(API, json=body).status_code == 201


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"no {what} in {WAIT_SECONDS} s"
        time.sleep(0.001)


def change(base_url: str, ledger: Ledger, name: str, rng: random.Random) -> None:
    """Add batches, give them new versions and delete them until the server is gone."""
    with httpx.Client(base_url=base_url, timeout=WAIT_SECONDS, trust_env=False, verify=NO_TLS) as client:
        own: dict[str, int] = {}
        while True:
            batch = rng.choice(sorted(own)) if own and rng.random() < 0.6 else f"{name}{rng.randrange(2**48)}"
            deletes = batch in own and rng.random() < 0.4
            version = None if deletes else own.get(batch, 0) + 1
            if not ledger.write(client, f"{API}/changing", batch, version):
                return
            if version is None:
                del own[batch]
            else:
                own[batch] = version


def add_and_merge(base_url: str, ledger: Ledger, names: tuple[str, str], rng: random.Random) -> None:
    """Add batches to one index and move them to the other until the server is gone."""
    with httpx.Client(base_url=base_url, timeout=WAIT_SECONDS, trust_env=False, verify=NO_TLS) as client:
        while True:
            source, dest = rng.sample(names, 2)
            if rng.random() < 0.7:
                if not ledger.write(client, f"{API}/{source}", f"moving{rng.randrange(2**48)}", 1):
                    return
                continue
            try:
                answer = client.post(f"{API}/{source}/merge", json={"dest": dest, "clear_source": True})
            except httpx.TransportError:
                return
            assert answer.status_code == 200, answer.text


def searches(client: httpx.Client) -> list[Any]:
    queries = [[i * 37.0 % 400, i * 11.0 % 20, 1.0, 2.0] for i in range(20)]
    answer = client.post(f"{API}/still/search", json={"vectors": queries, "k": 25})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


def test_a_killed_server_has_lost_no_answered_write_and_torn_no_batch(server: Server, make_http: MakeHttp) -> None:
    rng = random.Random(new_seed())
    client = make_http(server)
    create(client, "changing", "left", "right", "still")
    body = {"items": [item("still", i, i % 20) for i in range(STILL_ITEMS)]}
    assert client.post(f"{API}/still/add", json=body).status_code == 200
    before = searches(client)
    changes, moves = Ledger(), Ledger()

    with ThreadPoolExecutor(4) as pool:
        for kill in range(KILLS):
            rngs = [random.Random(rng.random()) for _ in range(4)]
            work: list[Future[None]] = [
                pool.submit(change, server.base_url, changes, f"{kill}-{i}-", rngs[i]) for i in range(2)
            ]
            work += [pool.submit(add_and_merge, server.base_url, moves, ("left", "right"), rngs[i]) for i in (2, 3)]
            answered = changes.answered + moves.answered
            try:
                wait_for(partial(lambda n: changes.answered + moves.answered > n, answered), "answered write")
                threading.Event().wait(rng.uniform(0, 1))
            finally:
                server.kill()
            for done in work:
                done.result(WAIT_SECONDS)
            server.start()
            client = make_http(server)
            changes.check(stored_items(client, f"{API}/changing"))
            left, right = (stored_items(client, f"{API}/{name}") for name in ("left", "right"))
            moves.check(left | right)
            for name, items in (("left", left), ("right", right)):
                assert client.get(f"{API}/{name}").json()["count"] == len(items)
            assert searches(client) == before

    print(f"answered {changes.answered + moves.answered}, cut off {changes.cut_off + moves.cut_off}")  # noqa: T201
    assert changes.answered > KILLS
    assert moves.answered > KILLS
    assert changes.cut_off + moves.cut_off > 0


def test_a_killed_import_left_whole_batches_and_is_finished_by_running_it_again(
    server: Server, make_http: MakeHttp, tmp_path: Path
) -> None:
    rng = random.Random(new_seed())
    client = make_http(server)
    create(client, "imported")
    items = [item("batch", i, i // IMPORT_BATCH) for i in range(IMPORT_ITEMS)]
    file = tmp_path / "items.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in items))
    arguments = ("index_import", "imported", str(file), "--batch", str(IMPORT_BATCH))

    def progressed(process: subprocess.Popen[bytes], share: float) -> bool:
        count = int(client.get(f"{API}/imported").json()["count"])
        return process.poll() is not None or count > share * IMPORT_ITEMS

    for share in (rng.uniform(0.01, 0.3), rng.uniform(0.4, 0.6)):
        process = start_manage(*arguments, environment=server.environment, log_path=tmp_path / "import.log")
        try:
            wait_for(partial(progressed, process, share), "progress")
        finally:
            ended = process.poll()
            end_group(process, signal.SIGKILL)
        assert ended is None, (tmp_path / "import.log").read_text()
        stored = stored_items(client, f"{API}/imported")
        assert share * IMPORT_ITEMS < len(stored) < IMPORT_ITEMS
        assert set(stored) == {one["id"] for one in items[: len(stored)]}
        assert len(stored) % IMPORT_BATCH == 0

    result = json.loads(server.manage(*arguments, "--json").stdout)

    assert (result["read"], result["count"]) == (IMPORT_ITEMS, IMPORT_ITEMS)
    assert stored_items(client, f"{API}/imported") == {one["id"]: one for one in items}


@pytest.mark.parametrize("by", ["server", "command"])
def test_a_killed_merge_has_each_item_in_the_source_or_the_destination_or_both(
    make_server: MakeServer, make_http: MakeHttp, tmp_path: Path, by: str
) -> None:
    new_seed()
    server = make_server()
    client = make_http(server)
    create(client, "source", "dest")
    items = {one["id"]: one for one in (item("batch", i, i) for i in range(MERGE_ITEMS))}
    known = {key: item("batch", items[key]["metadata"]["version"], -1) for key in list(items)[::10]}
    ids = list(items)
    assert client.post(f"{API}/source/add", json={"items": list(items.values())}).status_code == 200
    assert client.post(f"{API}/dest/add", json={"items": list(known.values())}).status_code == 200
    expected = items | known  # skipped ones stay as they are in the destination

    interrupted = 0
    for _ in range(3):
        left = client.get(f"{API}/source").json()["count"]
        if left <= len(known):
            break
        _interrupt(server, client, left, by, tmp_path)
        client = make_http(server)
        source, dest = (stored_items(client, f"{API}/{name}") for name in ("source", "dest"))
        interrupted += len(known) < len(source) < MERGE_ITEMS
        assert set(source) | set(dest) == set(ids)
        assert all(source[key] == items[key] for key in source)
        assert all(dest[key] == expected[key] for key in dest)

    assert interrupted
    body = {"dest": "dest", "clear_source": True}
    assert client.post(f"{API}/source/merge", json=body).status_code == 200
    again = client.post(f"{API}/source/merge", json=body).json()
    assert (again["added"], again["source_count"], again["dest_count"]) == (0, len(known), MERGE_ITEMS)
    assert stored_items(client, f"{API}/dest") == expected
    assert set(stored_items(client, f"{API}/source")) == set(known)


def _interrupt(server: Server, client: httpx.Client, left: int, by: str, tmp_path: Path) -> None:
    """Start a merge and kill who does it as soon as the first items have moved."""

    def moved() -> bool:
        return bool(client.get(f"{API}/source").json()["count"] < left)

    if by == "command":
        arguments = ("index_merge", "source", "dest", "--clear-source")
        process = start_manage(*arguments, environment=server.environment, log_path=tmp_path / "merge.log")
        try:
            wait_for(moved, "item that moved")
        finally:
            end_group(process, signal.SIGKILL)
        return
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(_merge_until_killed, server.base_url)
        try:
            wait_for(moved, "item that moved")
        finally:
            server.kill()
        done.result(WAIT_SECONDS)
    server.start()


def _merge_until_killed(base_url: str) -> None:
    body = {"dest": "dest", "clear_source": True}
    try:
        answer = httpx.post(
            f"{base_url}{API}/source/merge", json=body, timeout=WAIT_SECONDS, trust_env=False, verify=NO_TLS
        )
    except httpx.TransportError:
        return
    assert answer.status_code == 200, answer.text
