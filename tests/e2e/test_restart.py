"""Real servers that end and start, on snapshots that are there, damaged or gone."""

from __future__ import annotations

import json
import signal

import pytest

from tests.conftest import MakeServer
from tests.e2e.restarts import (
    DATA,
    INDEX,
    ITEMS,
    MakeHttp,
    add,
    answers,
    fill,
    info,
    loads,
    objects,
    run_quick,
    snapshot,
    use,
    uses_graph,
    wait_for,
)


@pytest.fixture(autouse=True)
def _small_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "tests.e2e.small_graphs")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_first_answers_after_a_restart_come_from_the_snapshot_and_are_the_same(
    make_server: MakeServer, make_http: MakeHttp, end: str
) -> None:
    server = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="0")
    client = make_http(server)
    fill(client)
    told = snapshot(client)
    assert told["seq"] == ITEMS
    before = answers(client), answers(client, exact=True)

    getattr(server, end)()
    server.process = None
    server.start()

    client = make_http(server)
    assert (answers(client), answers(client, exact=True)) == before
    assert uses_graph(client)
    assert (loads(client, "snapshot"), loads(client, "rows")) == (1, 0)
    assert '"source": "snapshot"' in server.log()
    assert info(client)["snapshot"] == told


def test_writes_after_the_snapshot_are_there_after_a_kill(make_server: MakeServer, make_http: MakeHttp) -> None:
    server = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="0")
    client = make_http(server)
    fill(client)
    snapshot(client)
    add(client, DATA[:30] + 1, prefix="new")
    add(client, DATA[40:50], prefix="i")  # other vectors for the first ten
    assert client.post(f"{INDEX}/delete", json={"ids": ["i0100", "i0200"]}).json()["deleted"] == 2
    before = answers(client, exact=True)

    server.kill()
    server.start()

    client = make_http(server)
    assert answers(client, exact=True) == before
    found = client.post(f"{INDEX}/search", json={"vector": (DATA[7] + 1).tolist(), "k": 1}).json()["results"]
    assert [hit["id"] for hit in found] == ["new0007"]
    everything = client.post(f"{INDEX}/search", json={"vector": DATA[100].tolist(), "k": 1000}).json()["results"]
    assert {"i0100", "i0200"}.isdisjoint(hit["id"] for hit in everything)
    assert len(everything) == ITEMS + 28
    assert loads(client, "snapshot") == 1


@pytest.mark.parametrize("damage", ["missing", "flipped", "cut", "empty"])
def test_a_snapshot_that_is_no_good_changes_no_answer_and_is_told(
    make_server: MakeServer, make_http: MakeHttp, damage: str
) -> None:
    server = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="0")
    client = make_http(server)
    fill(client)
    snapshot(client)
    before = answers(client, exact=True)
    server.stop()
    (path,) = objects(server)
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        middle = 4096 + 500
        changed = {"flipped": data[:middle] + bytes([data[middle] ^ 8]) + data[middle + 1 :], "cut": data[:-9]}
        path.write_bytes(changed.get(damage, b""))

    server.process = None
    server.start()

    client = make_http(server)
    assert answers(client, exact=True) == before
    assert loads(client, "rows") == 1
    told = info(client)["snapshot"]
    assert (told["seq"], bool(told["error"])) == (None, True)
    assert "snapshot damaged, not used" in server.log()
    assert snapshot(client)["error"] is None
    assert info(client)["snapshot"]["error"] is None


def test_a_good_end_publishes_a_snapshot(make_server: MakeServer, make_http: MakeHttp) -> None:
    server = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="3600")
    client = make_http(server)
    fill(client)
    wait_for(lambda: uses_graph(client))
    assert info(client)["snapshot"] is None

    assert server.stop() == 0
    server.process = None
    assert len(objects(server)) == 1
    server.start()

    client = make_http(server)
    assert info(client)["snapshot"]["seq"] == ITEMS
    assert uses_graph(client)
    assert loads(client, "snapshot") == 1
    server.stop()
    assert len(objects(server)) == 1, "nothing had changed"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_end_of_the_worker_is_good_by_either_signal(
    make_server: MakeServer, make_http: MakeHttp, sign: signal.Signals
) -> None:
    server = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="3600")
    client = make_http(server)
    fill(client)
    answers(client)
    assert server.process is not None

    server.process.send_signal(sign)
    server.process.wait(60)

    assert len(objects(server)) == 1


def test_a_drop_removes_the_files_and_a_server_goes_on(make_server: MakeServer, make_http: MakeHttp) -> None:
    server = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="0")
    client = make_http(server)
    fill(client)
    snapshot(client)
    assert len(objects(server)) == 1

    assert client.delete(INDEX).status_code == 204

    assert objects(server) == []
    assert client.post(f"{INDEX}/snapshot").status_code == 404
    fill(client, 10)
    assert info(client)["snapshot"] is None
    assert [hit["id"] for hit in answers(client)[0]] == [hit["id"] for hit in answers(client, exact=True)[0]]


def test_an_empty_database_gets_everything_back_from_the_storage(make_server: MakeServer, make_http: MakeHttp) -> None:
    server = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="0")
    client = make_http(server)
    fill(client)
    client.post("/v1/vectors/index", json={"name": "empty", "dimension": 3})
    server.manage("index_snapshot", "empty")
    snapshot(client)
    before = answers(client, exact=True)
    server.stop()
    files = objects(server)
    assert len(files) == 2

    fresh = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="0")
    for file in files:
        target = fresh.data_dir / file.relative_to(server.data_dir)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    run_quick(fresh, "vectors_maintain")
    assert len(objects(fresh)) == 2, "a storage full of backups is no garbage"
    restored = json.loads(fresh.manage("index_restore", "--json").stdout)

    client = make_http(fresh)
    assert restored == {"restored": ["docs", "empty"], "present": [], "problems": []}
    assert answers(client, exact=True) == before
    assert uses_graph(client)
    assert loads(client, "snapshot") == 1
    add(client, DATA[:5] + 3, prefix="new")
    found = client.post(f"{INDEX}/search", json={"vector": (DATA[2] + 3).tolist(), "k": 1}).json()["results"]
    assert [hit["id"] for hit in found] == ["new0002"]
    for _ in range(3):
        snapshot(client)
    run_quick(fresh, "vectors_maintain")
    run_quick(fresh, "vectors_maintain")
    assert {path.name for path in files} <= {path.name for path in objects(fresh)}, (
        "backups of another database are gone"
    )
