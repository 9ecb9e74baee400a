"""Calls as they are sent, and answers as they are read, also of servers that know more or less than this client."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from lakehouse_client import (
    BadArgument,
    Client,
    Conflict,
    ConnectionLost,
    DuplicateGroup,
    DuplicatesResult,
    Hit,
    Index,
    IndexInfo,
    InvalidInput,
    Mmr,
    NotFound,
    Readiness,
    RecallResult,
    SnapshotInfo,
    UnexpectedAnswer,
    UpdateResult,
)
from tests.lakehouse_client.scripted import Received, Reply, Scripted, problem

NOW, TIME = "2026-01-02T03:04:05.678901Z", datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
INFO = {
    "name": "docs",
    "dimension": 3,
    "distance": "cosine",
    "m": 16,
    "ef_construction": 200,
    "ef_search": 64,
    "count": 0,
    "seq": 0,
    "created_at": NOW,
    "updated_at": NOW,
    "snapshot": None,
}
SNAPSHOT = {"seq": 4, "bytes": 1_000, "created_at": NOW, "error": None}

CALLS: dict[str, tuple[Callable[[Index], Any], str, Any, Any, Any]] = {
    "count": (lambda docs: docs.count(), "POST /count", {}, {"count": 3, "new": 1}, 3),
    "count by filter": (
        lambda docs: docs.count({"a": {"$gt": 1}}),
        "POST /count",
        {"filter": {"a": {"$gt": 1}}},
        {"count": 0},
        0,
    ),
    "patch": (
        lambda docs: docs.update_metadata({"a": {"n": 1, "old": None}}),
        "PATCH /items",
        {"items": [{"id": "a", "metadata": {"n": 1, "old": None}}]},
        {"updated": 1, "missing": [], "seq": 5},
        UpdateResult(1, (), 5),
    ),
    "recall": (
        lambda docs: docs.recall(num=5, k=3),
        "POST /recall",
        {"num": 5, "k": 3},
        {"recall": 0.9, "num": 5, "k": 3, "ann_ms": 0.1, "exact_ms": 2.5, "measured_at": NOW},
        RecallResult(0.9, 5, 3, 0.1, 2.5, TIME),
    ),
    "snapshot": (
        lambda docs: docs.snapshot(),
        "POST /snapshot",
        {},
        SNAPSHOT,
        SnapshotInfo(4, 1_000, TIME),
    ),
    "duplicates": (
        lambda docs: docs.duplicates(threshold=0.1),
        "POST /duplicates",
        {"threshold": 0.1},
        {"groups": [{"ids": ["a", "b"], "max_distance": 0.05, "new": 1}], "scanned": 9},
        DuplicatesResult((DuplicateGroup(("a", "b"), 0.05),), 9),
    ),
    "search for diverse hits": (
        lambda docs: docs.search(id="a", mmr=Mmr()).hits,
        "POST /search",
        {"id": "a", "k": 10, "mmr": {"lambda": 0.5}},
        {"results": [], "exact": True, "seq": 9},
        (),
    ),
    "delete by filter": (
        lambda docs: docs.delete(filter={"a": 1}).deleted,
        "POST /delete",
        {"filter": {"a": 1}},
        {"deleted": 2, "missing": [], "seq": 7},
        2,
    ),
    "search with everything": (
        lambda docs: (
            docs.search(
                id="a",
                k=1,
                filter={"a": 1},
                exact=True,
                include=["vector"],
                max_distance=0.5,
                mmr=Mmr(0.3, 9),
                extra={"x": 1},
            ).hits
        ),
        "POST /search",
        {
            **{"id": "a", "k": 1, "filter": {"a": 1}, "exact": True, "include": ["vector"], "max_distance": 0.5},
            **{"mmr": {"lambda": 0.3, "fetch_k": 9}, "x": 1},
        },
        {"results": [{"id": "b", "distance": 0.25, "vector": [1, 0.5], "rank": 1}], "exact": True, "seq": 9, "new": {}},
        (Hit("b", 0.25, None, (1.0, 0.5)),),
    ),
}


@pytest.mark.parametrize(("call", "sent", "body", "answer", "result"), CALLS.values(), ids=CALLS.keys())
def test_a_call_is_sent_and_its_answer_read(
    scripted: Scripted, client: Client, call: Callable[[Index], Any], sent: str, body: Any, answer: Any, result: Any
) -> None:
    scripted.script.append(Reply(answer))

    assert call(client.index("docs")) == result

    (received,) = scripted.received
    method, path = sent.split()
    assert (received.method, received.path) == (method, f"/v1/vectors/index/docs{path}")
    assert received.json() == body
    assert received.headers["Content-Type"] == "application/json"


def test_an_index_has_its_snapshot_and_its_times(scripted: Scripted, client: Client) -> None:
    scripted.script.append(Reply(INFO | {"snapshot": SNAPSHOT, "memory_bytes": 7}))

    info = client.get_index("docs")

    assert info.snapshot == SnapshotInfo(4, 1_000, info.created_at)
    assert info.created_at == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


@pytest.mark.parametrize("answer", [[], None, {}, INFO | {"created_at": "soon"}, INFO | {"snapshot": 3}, {"name": "a"}])
def test_an_answer_of_another_shape_is_an_error(scripted: Scripted, client: Client, answer: Any) -> None:
    scripted.script.append(Reply(answer))

    with pytest.raises(UnexpectedAnswer, match=r"not a (Index|Snapshot)Info"):
        client.get_index("docs")


def pages_of(names: list[str]) -> Callable[[Received], Reply]:
    def answer(received: Received) -> Reply:
        offset = int(received.path.rpartition("=")[2])
        page = [INFO | {"name": name} for name in names[offset : offset + 2]]
        # As a server behind a proxy sees itself: not where the client may go.
        following = f"http://internal:1/v1/vectors/index?offset={offset + 2}" if offset + 2 < len(names) else None
        return Reply({"count": len(names), "next": following, "previous": None, "results": page})

    return answer


@pytest.mark.parametrize("names", [[], ["a"], ["a", "b"], ["a", "b", "c", "d", "e"]], ids=len)
def test_all_pages_of_a_listing_are_read(scripted: Scripted, client: Client, names: list[str]) -> None:
    scripted.otherwise = pages_of(names)

    assert [info.name for info in client.list_indexes()] == names


def test_creating_an_index_after_a_lost_answer_finds_it_created(scripted: Scripted, client: Client) -> None:
    scripted.script.extend([Reply(fault="lost"), problem(409, "index_exists"), Reply(INFO)])

    assert client.create_index("docs", 3, m=16).name == "docs"


@pytest.mark.parametrize(
    "found", [Reply(INFO | {"seq": 1}), Reply(INFO | {"dimension": 4}), Reply(INFO | {"m": 32}), problem(404, "gone")]
)
def test_an_index_that_is_not_as_we_made_it_is_a_conflict(scripted: Scripted, client: Client, found: Reply) -> None:
    scripted.script.extend([Reply(fault="lost"), problem(409, "index_exists"), found])

    with pytest.raises(Conflict) as caught:
        client.create_index("docs", 3, m=16)

    assert caught.value.maybe_done


@pytest.mark.parametrize("before", [[], [problem(429, "throttled", Retry_After="0")]], ids=["first try", "throttled"])
def test_a_name_that_was_taken_before_is_a_conflict(scripted: Scripted, client: Client, before: list[Reply]) -> None:
    scripted.script.extend([*before, problem(409, "index_exists"), Reply(INFO)])

    with pytest.raises(Conflict):
        client.create_index("docs", 3)


def test_many_queries_are_cut_into_the_calls_the_server_takes(scripted: Scripted, client: Client) -> None:
    def answer(received: Received) -> Reply:
        queries = [np.frombuffer(base64.b64decode(text), "<f4").tolist() for text in received.json()["vectors_b64"]]
        results = [[{"id": str(query[0]), "distance": 0.0}] for query in queries]
        return Reply({"results": results, "exact": queries[0][0] != 200.0, "seq": 10 - int(queries[0][0] == 100)})

    scripted.otherwise = answer
    vectors = np.arange(250, dtype=np.float64).reshape(-1, 1)

    found = client.index("docs").search_many(vectors, k=1_000, include=[])

    assert [hits[0].id for hits in found.results] == [str(float(i)) for i in range(250)]
    assert (found.exact, found.seq) == (False, 9)
    assert [len(one.json()["vectors_b64"]) for one in scripted.received] == [100, 100, 50]
    assert all((one.json()["k"], one.json()["include"]) == (1_000, []) for one in scripted.received)


def test_what_is_stored_before_a_failure_is_told(scripted: Scripted, client: Client) -> None:
    added = {"added": 2, "updated": 0, "count": 2, "seq": 2}
    fault = {"pointer": "/items/1/vector_b64", "code": "dimension", "detail": "No."}
    scripted.script.extend([Reply(added), Reply(added), problem(400, "invalid_input", [fault])])

    with pytest.raises(InvalidInput) as caught:
        client.index("docs").add(({"id": str(i), "vector": [1.0]} for i in range(9)), batch_items=2)

    assert (caught.value.items_done, caught.value.errors[0].pointer) == (4, "/items/5/vector_b64")
    assert "/items/5/vector_b64: No." in str(caught.value)


def test_metadata_that_cannot_be_sent_stops_before_its_batch(scripted: Scripted, client: Client) -> None:
    items = [{"id": str(i), "vector": [1.0], "metadata": {"n": float("nan") if i == 3 else i}} for i in range(6)]
    scripted.script.append(Reply({"added": 2, "updated": 0, "count": 2, "seq": 2}))

    with pytest.raises(BadArgument, match=r"items\[3\]") as caught:
        client.index("docs").add(items, batch_items=2)

    assert (caught.value.items_done, len(scripted.received)) == (2, 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.index(""),
        lambda client: client.index(".."),
        lambda client: client.get_index("."),
        lambda client: client.index("a").search(),
        lambda client: client.index("a").search([1.0], id="b"),
        lambda client: client.index("a").search([1.0], max_distance=float("nan")),
        lambda client: client.index("a").delete(),
        lambda client: client.index("a").delete(["b"], filter={}),
        lambda client: client.index("a").delete("b"),
        lambda client: client.index("a").add_arrays(["a", "b"], [[1.0]]),
        lambda client: client.index("a").add_arrays(["a"], [[1.0]], []),
        lambda client: client.create_index("a", float("inf")),
    ],
)
def test_what_cannot_be_meant_is_not_sent(scripted: Scripted, client: Client, call: Callable[[Client], Any]) -> None:
    with pytest.raises(BadArgument):
        call(client)

    assert scripted.received == []


@pytest.mark.parametrize("options", [{"timeout_seconds": 0}, {"timeout_seconds": float("inf")}, {"retries": -1}])
def test_options_without_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadArgument):
        Client("http://127.0.0.1:1", **options)


def test_a_name_stays_in_its_place_of_the_path(scripted: Scripted, client: Client) -> None:
    scripted.script.append(problem(404, "not_found"))

    with pytest.raises(NotFound):
        client.get_index("a/../b?x#é\ud800")

    assert scripted.received[0].path == "/v1/vectors/index/a%2F..%2Fb%3Fx%23%C3%A9%3F"


def test_health_and_ready_are_asked_once(scripted: Scripted, client: Client, waits: list[float]) -> None:
    scripted.script.extend([problem(503, "not_ready"), Reply({"status": "ready"}), Reply(fault="lost")])

    assert client.ready() == Readiness(False, "D")
    assert client.ready().is_ready
    assert not client.health()
    scripted.script.append(Reply(fault="lost"))
    with pytest.raises(ConnectionLost):
        client.ready()

    assert waits == []


def test_answers_can_be_compared_and_not_changed() -> None:
    info = IndexInfo("a", 1, "dot", 1, 1, 1, 0, 0, datetime.now(UTC), datetime.now(UTC))

    with pytest.raises(AttributeError):
        info.count = 3  # type: ignore[misc]
    assert info.snapshot is None
