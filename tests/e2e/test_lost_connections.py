"""Connections to Postgres that break at any moment: a retry or a clear 503, never a wrong answer.

The tests have a Postgres of their own, whatever the database of the run is.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.cutting_proxy import CuttingProxy, cutting_proxy
from tests.e2e.ledger import assert_unavailable, item, stored_items
from tests.e2e.own_postgres import TOKEN, OwnPostgres
from tests.postgres import run_postgres
from tests.processes import NO_TLS, Server, environment_for, run_manage

API = "/v1/vectors/index"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
SIGNED_IN = {"Cookie": f"sessionid={'x' * 32}"}  # an admin session that is looked for in the database
MAX_MESSAGES = 40
WAIT_SECONDS = 60
PERHAPS = "may or may not have been applied"
ITEMS = [item("batch", i, 1) for i in range(5)]

MakeHttp = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPostgres]:
    with run_postgres() as postgres:
        yield OwnPostgres(postgres, tmp_path_factory.mktemp("own-postgres"))


@pytest.fixture
def database(own: OwnPostgres) -> str:
    return own.new_database()


@pytest.fixture
def server(own: OwnPostgres, database: str, tmp_path: Path) -> Iterator[Server]:
    with own.server(own.postgres.url(database), tmp_path / "server") as server:
        yield server


@pytest.fixture
def proxy(own: OwnPostgres) -> Iterator[CuttingProxy]:
    with cutting_proxy(own.postgres.port) as proxy:
        yield proxy


@pytest.fixture
def client_behind(own: OwnPostgres, database: str, proxy: CuttingProxy, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a server that reaches Postgres through the proxy."""
    url = own.postgres.url(database).replace(f":{own.postgres.port}/", f":{proxy.port}/")
    with own.server(url, tmp_path / "server") as server, open_client(server) as client:
        yield client


def open_client(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.base_url, headers=HEADERS, timeout=WAIT_SECONDS, trust_env=False, verify=NO_TLS)


def create(client: httpx.Client, name: str) -> str:
    body = {"name": name, "dimension": 4, "distance": "euclidean"}
    answer = client.post(API, json=body)
    assert answer.status_code == 201, answer.text
    return f"{API}/{name}"


def outcome(answer: httpx.Response) -> str:
    """Return ``done``, ``not done`` or ``perhaps``; anything else fails."""
    if answer.status_code == 503:
        return "perhaps" if PERHAPS in assert_unavailable(answer) else "not done"
    assert answer.status_code == 200, answer.text
    return "done"


@pytest.mark.parametrize("delivers", [False, True], ids=["message-lost", "answer-lost"])
def test_a_write_is_done_again_wherever_its_connection_breaks_but_in_the_commit(
    client_behind: httpx.Client, proxy: CuttingProxy, delivers: bool
) -> None:
    client = client_behind
    outcomes: list[str] = []
    for message in range(MAX_MESSAGES):
        url = create(client, f"index{message}")
        assert client.post(f"{url}/add", json={"items": [item("batch", 0, 7)]}).status_code == 200
        proxy.cut(b"BEGIN\0", after=message, delivers=delivers)
        said = outcome(client.post(f"{url}/add", json={"items": ITEMS}))
        proxy.disarm()
        stored = stored_items(client, url)
        if not proxy.cuts:
            break
        outcomes.append(said)
        if said == "done" or delivers:
            assert stored == {one["id"]: one for one in ITEMS}
            assert client.get(url).json()["seq"] == 1 + len(ITEMS)
        else:
            assert stored == {"batch/0": item("batch", 0, 7)}
        assert client.post(f"{url}/add", json={"items": ITEMS}).status_code == 200
        assert stored_items(client, url) == {one["id"]: one for one in ITEMS}

    assert outcomes[:-1] == ["done"] * (len(outcomes) - 1)
    assert outcomes[-1] == "perhaps"
    assert len(outcomes) > 5


@pytest.mark.parametrize("delivers", [False, True], ids=["message-lost", "answer-lost"])
def test_a_merge_loses_nothing_wherever_its_connection_breaks(
    client_behind: httpx.Client, proxy: CuttingProxy, delivers: bool
) -> None:
    client = client_behind
    outcomes: list[str] = []
    for message in range(MAX_MESSAGES):
        source, dest = create(client, f"source{message}"), create(client, f"dest{message}")
        assert client.post(f"{source}/add", json={"items": ITEMS}).status_code == 200
        body = {"dest": f"dest{message}", "clear_source": True}
        proxy.cut(b"BEGIN\0", after=message, delivers=delivers)
        said = outcome(client.post(f"{source}/merge", json=body))
        proxy.disarm()
        if not proxy.cuts:
            break
        outcomes.append(said)
        left, right = stored_items(client, source), stored_items(client, dest)
        assert (bool(left), bool(right)) == ((False, True) if said == "done" or delivers else (True, False))
        assert left | right == {one["id"]: one for one in ITEMS}
        assert client.post(f"{source}/merge", json=body).status_code == 200
        assert stored_items(client, dest) == {one["id"]: one for one in ITEMS}

    assert outcomes.count("perhaps") == 1
    assert outcomes.count("done") == len(outcomes) - 1 > 5


def test_a_search_is_answered_wherever_a_connection_that_stood_breaks(
    client_behind: httpx.Client, proxy: CuttingProxy
) -> None:
    client = client_behind
    url = create(client, "searched")
    assert client.post(f"{url}/add", json={"items": ITEMS}).status_code == 200
    query = {"vector": ITEMS[2]["vector"], "k": 3, "include": ["metadata", "vector"]}
    expected = client.post(f"{url}/search", json=query).json()
    connecting = done = 0
    for delivers in (False, True):
        for message in range(MAX_MESSAGES):
            # A new row each time, so that the graph has to catch up.
            extra = {"items": [item("far", message, 1_000 + message)]}
            assert client.post(f"{url}/add", json=extra).status_code == 200
            proxy.cut(b"", after=message, delivers=delivers)
            answer = client.post(f"{url}/search", json=query)
            proxy.disarm()
            if outcome(answer) == "done":
                done += proxy.cuts
                assert answer.json()["results"] == expected["results"]
            else:
                connecting += 1

    print(f"{done} searches were answered all the same, {connecting} times no connection could be made")  # noqa: T201
    assert done >= 4


def test_no_caller_notices_that_idle_connections_were_ended(own: OwnPostgres, database: str, server: Server) -> None:
    with open_client(server) as client:
        url = create(client, "idle")
        assert client.post(f"{url}/add", json={"items": ITEMS}).status_code == 200
        query = {"vector": ITEMS[2]["vector"], "k": 5}
        expected = client.post(f"{url}/search", json=query).json()["results"]
        ended = 0
        for i in range(10):
            ended += own.end_connections(database)
            assert client.post(f"{url}/search", json=query).json()["results"] == expected
            ended += own.end_connections(database)
            assert client.post(f"{url}/delete", json={"ids": [f"missing{i}"]}).status_code == 200
            ended += own.end_connections(database)
            assert client.get(API).status_code == 200
            assert client.get("/admin/", headers=SIGNED_IN).status_code == 302

    assert ended > 20
    assert "Traceback" not in server.log()


def test_a_postgres_that_is_stopped_means_503_and_one_that_is_back_is_used_at_once(
    own: OwnPostgres, server: Server
) -> None:
    with open_client(server) as client:
        url = create(client, "kept")
        assert client.post(f"{url}/add", json={"items": ITEMS}).status_code == 200
        query = {"vector": ITEMS[2]["vector"], "k": 5}
        expected = client.post(f"{url}/search", json=query).json()["results"]
        own.postgres.process.send_signal(signal.SIGINT)
        own.postgres.process.wait(WAIT_SECONDS)
        try:
            for path, body in {"add": {"items": ITEMS}, "search": query, "fetch": {"ids": ["batch/0"]}}.items():
                assert outcome(client.post(f"{url}/{path}", json=body)) == "not done"
            assert_unavailable(client.get(API))
            assert_unavailable(client.get("/admin/", headers=SIGNED_IN))
            assert client.get("/health").status_code == 200
            done = server.manage("index_list", check=False)
        finally:
            own.start_again()
        seconds, refused = _until_answered(client, f"{url}/search", query)
        answers = [client.post(f"{url}/search", json=query) for _ in range(12)]
        print(f"answered again {seconds:.2f} s after the start of Postgres, {refused} times 503 before")  # noqa: T201
        assert [answer.json()["results"] for answer in answers] == [expected] * 12
        assert client.post(f"{url}/add", json={"items": ITEMS}).status_code == 200

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in server.log()
    assert server.log().count("database unavailable") == 5 + refused


def _until_answered(client: httpx.Client, path: str, body: dict[str, Any]) -> tuple[float, int]:
    started, refused = time.monotonic(), 0
    while outcome(client.post(path, json=body)) != "done":
        refused += 1
        assert time.monotonic() < started + WAIT_SECONDS
        threading.Event().wait(0.02)
    return time.monotonic() - started, refused


def test_too_many_connections_mean_503_until_there_is_room(own: OwnPostgres, tmp_path: Path) -> None:
    own.execute("CREATE ROLE narrow LOGIN PASSWORD 'narrow' CONNECTION LIMIT 1")
    own.execute("CREATE DATABASE narrow OWNER narrow")
    url = f"postgres://narrow:narrow@127.0.0.1:{own.postgres.port}/narrow"
    folder = tmp_path / "server"
    run_manage("migrate", "--verbosity", "0", environment=environment_for(tmp_path, url))
    with own.server(url, folder) as server, open_client(server) as client:
        path = create(client, "narrow")

        def add(i: int) -> str:
            return outcome(client.post(f"{path}/add", json={"items": [item("batch", i, 1)]}))

        with ThreadPoolExecutor(8) as pool:
            narrow = list(pool.map(add, range(60)))
        own.execute("ALTER ROLE narrow CONNECTION LIMIT -1")
        with ThreadPoolExecutor(8) as pool:
            wide = list(pool.map(add, range(60, 120)))
        stored = stored_items(client, path)

    assert {"done", "not done"} == set(narrow)
    assert set(wide) == {"done"}
    said_done = {f"batch/{i}" for i, said in enumerate([*narrow, *wide]) if said == "done"}
    assert set(stored) == said_done
    assert "Traceback" not in server.log()


def test_a_database_that_became_read_only_is_named_and_answers_searches(
    own: OwnPostgres, database: str, server: Server
) -> None:
    with open_client(server) as client:
        url = create(client, "kept")
        assert client.post(f"{url}/add", json={"items": ITEMS}).status_code == 200
        own.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        own.end_connections(database)
        detail = assert_unavailable(client.post(f"{url}/delete", json={"ids": ["batch/0"]}))
        assert stored_items(client, url) == {one["id"]: one for one in ITEMS}
        assert client.post(f"{url}/search", json={"id": "batch/0", "k": 5}).status_code == 200
        own.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
        own.end_connections(database)
        assert client.post(f"{url}/delete", json={"ids": ["batch/0"]}).json()["deleted"] == 1

    assert detail.startswith("The database is read-only")
    assert "Traceback" not in server.log()


@pytest.mark.slow
def test_a_command_does_not_wait_for_a_database_that_takes_connections_and_says_nothing(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgres://nobody:none@127.0.0.1:{mute.getsockname()[1]}/none"
        started = time.monotonic()
        done = run_manage("index_list", environment=environment_for(data_dir, url), check=False)

    assert time.monotonic() - started < WAIT_SECONDS / 2
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "connection timeout expired" in done.stderr
