"""Real servers while indexes are maintained: by their own threads, by commands, by one another."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
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
    use,
    uses_graph,
    wait_for,
)
from tests.processes import NO_TLS, Server


@pytest.fixture(autouse=True)
def _small_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "tests.e2e.small_graphs")


def test_the_background_thread_publishes_an_idle_index_and_deletes_old_files(
    make_server: MakeServer, make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "tests.e2e.quick_upkeep")
    server = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="1")
    client = make_http(server)
    fill(client)

    wait_for(lambda: (info(client)["snapshot"] or {}).get("seq") == ITEMS)
    for i in range(1, 5):
        add(client, DATA[i : i + 1], prefix="new")
        wait_for(lambda seq=ITEMS + i: info(client)["snapshot"]["seq"] == seq)  # type: ignore[misc]

    wait_for(lambda: len(objects(server)) == 2)
    client.delete(INDEX)
    wait_for(lambda: objects(server) == [])


@pytest.fixture
def searching(make_http: MakeHttp) -> Iterator[Callable[[Server], list[Any]]]:
    """A function that keeps searching a server; returns the list to which wrong answers are added."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def start(server: Server) -> list[Any]:
        wrong: list[Any] = []
        client = make_http(server)

        def search() -> None:
            number = 0
            while not stop.is_set():
                number = (number + 1) % ITEMS
                found = client.post(f"{INDEX}/search", json={"vector": DATA[number].tolist(), "k": 1})
                if found.status_code != 200 or [hit["id"] for hit in found.json()["results"]] != [f"i{number:04d}"]:
                    wrong.append(found.text)

        threads.append(threading.Thread(target=search))
        threads[-1].start()
        return wrong

    yield start
    stop.set()
    for thread in threads:
        thread.join(60)


def test_a_server_changes_over_to_a_graph_that_another_process_has_built(
    make_server: MakeServer, make_http: MakeHttp, searching: Callable[[Server], list[Any]]
) -> None:
    server = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="0")
    client = make_http(server)
    fill(client)
    wait_for(lambda: uses_graph(client))
    before = answers(client, exact=True)
    wrong = searching(server)

    run_quick(server, "index_rebuild", "docs")

    wait_for(lambda: loads(client, "snapshot") == 1)
    assert answers(client, exact=True) == before
    assert uses_graph(client)
    assert wrong == []
    assert info(client)["snapshot"]["seq"] == ITEMS


def test_a_server_that_is_behind_a_purge_by_another_process_answers_right(
    make_server: MakeServer, make_http: MakeHttp
) -> None:
    server = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="0")
    client = make_http(server)
    fill(client)
    wait_for(lambda: uses_graph(client))
    other = Server(server.data_dir, server.database_url, server.extra)
    other.log_path = server.data_dir / "other.log"
    other.start()
    try:
        with httpx.Client(base_url=other.base_url, trust_env=False, verify=NO_TLS, timeout=60) as far:
            far.post(f"{INDEX}/delete", json={"ids": [f"i{i:04d}" for i in range(100)]})
        first = json.loads(run_quick(server, "vectors_maintain", "--json"))
        second = json.loads(run_quick(server, "vectors_maintain", "--json"))
    finally:
        other.kill()

    assert first["purged_tombstones"] + second["purged_tombstones"] == 100
    found = client.post(f"{INDEX}/search", json={"vector": DATA[5].tolist(), "k": 1000}).json()["results"]
    assert sorted(hit["id"] for hit in found) == [f"i{i:04d}" for i in range(100, ITEMS)]
    assert loads(client, "snapshot") + loads(client, "rows") == 2
    assert "out of step" not in server.log()


def test_two_servers_on_one_database_agree_while_both_maintain_it(
    make_server: MakeServer, make_http: MakeHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "tests.e2e.quick_upkeep")
    first = make_server(LAKEHOUSE_MAINTENANCE_SECONDS="1")
    second = Server(first.data_dir, first.database_url, first.extra)
    second.log_path = first.data_dir / "second.log"
    second.start()
    try:
        here = make_http(first)
        with httpx.Client(base_url=second.base_url, trust_env=False, verify=NO_TLS, timeout=60) as there:
            fill(here)
            for round_ in range(6):
                writer, reader = (here, there) if round_ % 2 else (there, here)
                add(writer, DATA[:50] + round_, prefix=f"r{round_}-")
                ids = [f"i{i:04d}" for i in range(20 * round_, 20 * round_ + 20)]
                assert writer.post(f"{INDEX}/delete", json={"ids": ids}).json()["deleted"] == 20
                assert answers(reader, exact=True) == answers(writer, exact=True)
                everything = reader.post(f"{INDEX}/search", json={"vector": [0] * 8, "k": 1000}).json()["results"]
                assert len(everything) == ITEMS + 30 * (round_ + 1)
                time.sleep(0.7)
            seq = info(here)["seq"]
            wait_for(lambda: info(there)["snapshot"]["seq"] == seq)
            wait_for(lambda: len(objects(first)) <= 2)
            assert info(here)["snapshot"]["error"] is None
    finally:
        second.kill()
    assert not [line for line in (first.log() + second.log()).splitlines() if '"level": "ERROR"' in line]
