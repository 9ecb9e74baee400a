"""SQLite that cannot write: a 503 that says why and what to do, nothing changed, and searches go on.

These tests are about SQLite, whatever the database of the run is.
"""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import processes
from tests.e2e.ledger import assert_unavailable, stored_items
from tests.e2e.with_pragma import starter
from tests.processes import Server, copy_data, environment_for, run_manage

API = "/v1/vectors/index"
URL = f"{API}/full"
DIMENSION = 256
BATCH_ITEMS = 200  # some 400 KB with all that goes with them
QUERY = {"vector": [1.0] * DIMENSION, "k": 10, "include": ["metadata"]}
LIMIT_BYTES = 65_536

MakeHttp = Callable[[Server], httpx.Client]


def batch(first: int) -> dict[str, Any]:
    items = [{"id": f"{i:06}", "vector": [float(i)] * DIMENSION, "metadata": {"i": i}} for i in range(BATCH_ITEMS)]
    return {"items": [{**one, "id": f"{first + i:06}"} for i, one in enumerate(items)]}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sqlite-template")
    run_manage("migrate", "--verbosity", "0", environment=environment_for(folder, None))
    return folder


@pytest.fixture
def sqlite_server(template: Path, tmp_path: Path, make_http: MakeHttp) -> Iterator[Server]:
    """A server on an SQLite file with one batch in an index."""
    copy_data(template, tmp_path / "data")
    server = Server(tmp_path / "data", None)
    try:
        server.start()
        client = make_http(server)
        body = {"name": "full", "dimension": DIMENSION, "distance": "euclidean"}
        assert client.post(API, json=body).status_code == 201
        assert client.post(f"{URL}/add", json=batch(0)).status_code == 200
        yield server
        assert "Traceback" not in server.log()
    finally:
        print(server.log()[-4_000:])  # noqa: T201
        server.kill()


def worker_ids(server: Server) -> list[int]:
    """Return the processes of the group that the server leads."""
    assert server.process is not None
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[2]) == server.process.pid:
            found.append(int(stat.parent.name))
    return found


def limit_files(server: Server, size_bytes: int) -> None:
    for process in worker_ids(server):
        resource.prlimit(process, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


def answers_reads(client: httpx.Client, results: Any) -> None:
    """Assert that everything that only reads goes on."""
    assert client.post(f"{URL}/search", json=QUERY).json()["results"] == results
    assert client.post(f"{URL}/fetch", json={"ids": ["000001"]}).json()["items"][0]["metadata"] == {"i": 1}
    assert client.get(URL).json()["count"] == BATCH_ITEMS
    assert client.get("/health").status_code == 200


def test_a_disk_that_takes_no_more_bytes_is_named_and_works_again_when_it_does(
    sqlite_server: Server, make_http: MakeHttp
) -> None:
    client = make_http(sqlite_server)
    before, results = stored_items(client, URL), client.post(f"{URL}/search", json=QUERY).json()["results"]
    limit_files(sqlite_server, LIMIT_BYTES)
    for first in (0, BATCH_ITEMS):
        detail = assert_unavailable(client.post(f"{URL}/add", json=batch(first)))
        assert "free space" in detail
        answers_reads(client, results)
        assert stored_items(client, URL) == before
    limit_files(sqlite_server, resource.RLIM_INFINITY)

    assert client.post(f"{URL}/add", json=batch(BATCH_ITEMS)).json()["added"] == BATCH_ITEMS
    assert client.get(URL).json()["count"] == 2 * BATCH_ITEMS
    with sqlite3.connect(sqlite_server.data_dir / "lakehouse.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


@pytest.mark.parametrize(
    ("pragma", "words"),
    [
        ("PRAGMA max_page_count=1;", "The disk of the database is full. Free space"),
        ("PRAGMA query_only=1;", "may only be read. Make LAKEHOUSE_DATA_DIR"),
    ],
    ids=["full", "read-only"],
)
def test_a_full_or_read_only_database_is_named_and_answers_reads(
    sqlite_server: Server, make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch, pragma: str, words: str
) -> None:
    client = make_http(sqlite_server)
    before, results = stored_items(client, URL), client.post(f"{URL}/search", json=QUERY).json()["results"]
    with monkeypatch.context() as patch:
        patch.setattr(processes, "start_manage", starter(pragma))
        sqlite_server.restart()
    client = make_http(sqlite_server)
    for first in (0, BATCH_ITEMS, 0, BATCH_ITEMS):
        # More than fits into pages that are free.
        items = [{**one, "metadata": {"long": "x" * 5_000}} for one in batch(first)["items"]]
        assert words in assert_unavailable(client.post(f"{URL}/add", json={"items": items}))
        answers_reads(client, results)
    assert stored_items(client, URL) == before
    sqlite_server.restart()
    client = make_http(sqlite_server)

    assert stored_items(client, URL) == before
    assert client.post(f"{URL}/add", json=batch(BATCH_ITEMS)).json()["added"] == BATCH_ITEMS


def test_a_database_that_another_program_keeps_locked_is_named(
    sqlite_server: Server, make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(processes, "start_manage", starter("PRAGMA busy_timeout=100;"))
        sqlite_server.restart()
    client = make_http(sqlite_server)
    results = client.post(f"{URL}/search", json=QUERY).json()["results"]
    other = sqlite3.connect(sqlite_server.data_dir / "lakehouse.sqlite3", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            detail = assert_unavailable(client.post(f"{URL}/add", json=batch(BATCH_ITEMS)))
            assert "Another process has held the database" in detail
            answers_reads(client, results)
        other.execute("ROLLBACK")
    finally:
        other.close()

    assert client.post(f"{URL}/add", json=batch(BATCH_ITEMS)).json()["added"] == BATCH_ITEMS


def test_a_lock_file_that_cannot_be_opened_is_named(sqlite_server: Server, make_http: MakeHttp) -> None:
    client = make_http(sqlite_server)
    results = client.post(f"{URL}/search", json=QUERY).json()["results"]
    lock = sqlite_server.data_dir / "lakehouse.sqlite3.write-lock"
    lock.unlink()
    lock.mkdir()  # what even root cannot open for writing
    detail = assert_unavailable(client.post(f"{URL}/add", json=batch(BATCH_ITEMS)))
    answers_reads(client, results)
    shutil.rmtree(lock)

    assert "LAKEHOUSE_DATA_DIR has to be writable" in detail
    assert client.post(f"{URL}/add", json=batch(BATCH_ITEMS)).json()["added"] == BATCH_ITEMS


def test_an_import_into_a_full_disk_ends_in_one_line_and_is_finished_when_there_is_room(
    sqlite_server: Server, tmp_path: Path, make_http: MakeHttp
) -> None:
    file, log = tmp_path / "items.jsonl", tmp_path / "import.log"
    file.write_text("".join(json.dumps(one) + "\n" for one in batch(BATCH_ITEMS)["items"]))
    arguments = ("index_import", "full", str(file))
    full = starter("PRAGMA max_page_count=1;")

    status = full(*arguments, environment=sqlite_server.environment, log_path=log).wait(60)
    kept = make_http(sqlite_server).get(URL).json()["count"]
    again = sqlite_server.manage(*arguments, "--json")

    assert (status, kept) == (1, BATCH_ITEMS)
    (line,) = log.read_text().splitlines()
    assert line.startswith("CommandError: The disk of the database is full. Free space")
    assert json.loads(again.stdout)["added"] == BATCH_ITEMS
