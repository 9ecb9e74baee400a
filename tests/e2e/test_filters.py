"""Filters, counts, deletions by filter and PATCH on a real server, and what nobody should send to them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import MakeServer
from tests.e2e.reference_filter import holds, random_filter, random_metadata
from tests.e2e.test_hostile import NOT_JSON
from tests.lakehouse_site.shapes import assert_problem
from tests.processes import Server

API = "/v1/vectors/index"
JSON = {"Content-Type": "application/json"}
FILTERED = ("search", "count", "delete")


@pytest.fixture
def name(shared_client: httpx.Client, index_name: str) -> str:
    """An index with one item."""
    info = {"name": index_name, "dimension": 2, "distance": "euclidean"}
    assert shared_client.post(API, json=info).status_code == 201
    item = {"id": "kept", "vector": [1, 2], "metadata": {"n": 1, "text": "x"}}
    assert shared_client.post(f"{API}/{index_name}/add", json={"items": [item]}).status_code == 200
    return index_name


def send(client: httpx.Client, name: str, call: str, content: bytes) -> httpx.Response:
    return client.request("PATCH" if call == "items" else "POST", f"{API}/{name}/{call}", content=content, headers=JSON)


def body_of(call: str, text: str) -> bytes:
    vector = '"vector": [1, 2], ' if call == "search" else ""
    return f'{{{vector}"filter": {text}}}'.encode()


def nested(text: str, levels: int, opens: str, closes: str) -> str:
    return opens * levels + text + closes * levels


HOSTILE = {
    "array": "[]",
    "number": "1",
    "unknown": '{"$where": "1"}',
    "unknown-operator": '{"n": {"$regex": "x"}}',
    "mixed": '{"n": {"$gt": 1, "m": 2}}',
    "order-null": '{"n": {"$gt": null}}',
    "order-true": '{"n": {"$lt": true}}',
    "order-object": '{"n": {"$lte": {"a": 1}}}',
    "in-number": '{"n": {"$in": 5}}',
    "in-1001": f'{{"n": {{"$in": {list(range(1_001))}}}}}',
    "nin-1001": f'{{"n": {{"$nin": {list(range(1_001))}}}}}',
    "exists-1": '{"n": {"$exists": 1}}',
    "contains-array": '{"n": {"$contains": [1]}}',
    "and-empty": '{"$and": []}',
    "or-object": '{"$or": {"n": 1}}',
    "not-array": '{"$not": [{"n": 1}]}',
    "deep-not": nested('{"n": 1}', 8, '{"$not": ', "}"),
    "deep-and": nested('{"n": 1}', 8, '{"$and": [', "]}"),
    "deeper": nested('{"n": 1}', 300, '{"$or": [', "]}"),
    "deep-operator": '{"n": ' + nested('{"$gt": 1}', 8, '{"$not": ', "}") + "}",
    "deep-value": '{"n": ' + nested("1", 100, "[", "]") + "}",
    "deep-big-value": '{"n": ' + nested("9" * 30, 900, "[", "]") + "}",
    "long-path": json.dumps({"a" * 100_000: 1}),
    "many-parts": json.dumps({"a." * 100 + "a": 1}),
    "many-keys": json.dumps({f"k{i}": 1 for i in range(33)}),
    "many-conditions": json.dumps({"$or": [{"n": i} for i in range(1_001)]}),
    "a-million-elements": '{"$or": [' + "1," * 1_000_000 + "1]}",
    "a-million-filters": '{"$and": [' + "{}," * 1_000_000 + "{}]}",
    "a-million-operators": json.dumps({"n": {f"$x{i}": 1 for i in range(200_000)}}),
    "a-megabyte-of-value": json.dumps({"n": "x" * 3_000_000}),
    "surrogate": '{"n": "\\ud800"}',
    "nan": '{"n": {"$gt": NaN}}',
    "1e400": '{"n": 1e400}',
    "400-digits": '{"n": ' + "9" * 400 + "}",
}


@pytest.mark.parametrize("call", FILTERED)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_wrong_filter_is_400_with_its_place(shared_client: httpx.Client, name: str, call: str, text: str) -> None:
    started = time.monotonic()
    problem = assert_problem(send(shared_client, name, call, body_of(call, text)), 400, "invalid_input")
    assert time.monotonic() - started < 20
    assert problem["errors"]
    if text not in (HOSTILE["surrogate"], HOSTILE["nan"], HOSTILE["1e400"], HOSTILE["400-digits"]):  # not even JSON
        assert all(error["pointer"].startswith("/filter") for error in problem["errors"]), problem["errors"][:3]
    assert shared_client.post(f"{API}/{name}/count", json={}).json() == {"count": 1}


ODD = {
    "nul": '{"n\\u0000": "\\u0000"}',
    "empty-key": '{"": 1}',
    "dots": '{"...": {"$exists": false}}',
    "big": '{"n": {"$lt": ' + "9" * 300 + "}}",
    "1e300": '{"n": {"$gte": -1e300}}',
    "negative-zero": '{"n": {"$gt": -0.0}}',
    "long-string": json.dumps({"n": {"$ne": "x" * 1_000_000}}),
    "quotes": '{"\'; DROP TABLE": {"$exists": false}}',
    "conditions": json.dumps({"$or": [{"n": {"$not": {"$gt": i}}} for i in range(1_000)]}),
    "in-1000": json.dumps({"n": {"$in": list(range(1_000))}}),
    "key-twice": '{"n": 5, "n": 1}',
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_an_odd_filter_is_answered(shared_client: httpx.Client, name: str, text: str) -> None:
    expected = holds(json.loads(text), {"n": 1, "text": "x"})

    found = send(shared_client, name, "search", body_of("search", text))
    counted = send(shared_client, name, "count", body_of("count", text))

    assert found.status_code == counted.status_code == 200, found.text
    assert [hit["id"] for hit in found.json()["results"]] == ["kept"] * expected
    assert counted.json() == {"count": int(expected)}


@pytest.mark.parametrize(
    ("call", "content"),
    [
        pytest.param(call, content, id=f"{call}-{what}")
        for call in ("count", "items", "recall", "duplicates")
        for what, content in NOT_JSON.items()
        # An empty body is no fault where nothing is required.
        if call in ("items", "duplicates") or content.strip()
    ],
)
def test_what_no_call_can_read_is_400(shared_client: httpx.Client, name: str, call: str, content: bytes) -> None:
    assert_problem(send(shared_client, name, call, content), 400, "invalid_input")


WRONG = [
    ("items", '{"items": [{"id": "kept"}]}', 400),
    ("items", '{"items": [{"id": "kept", "metadata": []}]}', 400),
    ("items", '{"items": [{"id": "kept", "metadata": {"a": 1e400}}]}', 400),
    ("items", '{"items": [{"id": "kept\\u0000", "metadata": {}}]}', 400),
    ("items", '{"items": [{"id": 1, "metadata": {}}]}', 400),
    ("items", '{"items": {}}', 400),
    ("items", '{"items": [{"id": "kept", "metadata": {"a": ' + nested("1", 300, "[", "]") + "}}]}", 400),
    ("items", '{"items": [{"id": "kept", "metadata": {"a": ' + nested("9" * 30, 900, "[", "]") + "}}]}", 400),
    ("items", '{"items": [' + "0," * 10_000 + "0]}", 413),
    ("recall", '{"num": 0}', 400),
    ("recall", '{"num": 1000, "k": 1000}', 400),
    ("recall", '{"k": 1e2}', 400),
    ("duplicates", "{}", 400),
    ("duplicates", '{"threshold": "1"}', 400),
    ("duplicates", '{"threshold": 1e400}', 400),
    ("delete", '{"filter": {}}', 400),
    ("delete", '{"filter": {"$and": [{}]}}', 400),
    ("delete", '{"filter": {"n": 1}, "ids": []}', 400),
]


@pytest.mark.parametrize(("call", "text", "status"), WRONG, ids=[f"{call}-{text[:30]}" for call, text, _ in WRONG])
def test_each_wrong_value_has_its_status(
    shared_client: httpx.Client, name: str, call: str, text: str, status: int
) -> None:
    assert_problem(send(shared_client, name, call, text.encode()), status)
    assert shared_client.post(f"{API}/{name}/count", json={"filter": {"n": 1}}).json() == {"count": 1}


def test_metadata_as_deep_and_as_wide_as_may_be_are_filtered(shared_client: httpx.Client, name: str) -> None:
    deep = json.loads(nested("1", 252, "[", "]"))
    items = [
        {"id": "deep", "vector": [1, 1], "metadata": {"a": deep}},
        {"id": "objects", "vector": [1, 1], "metadata": json.loads(nested('{"a": 7}', 253, '{"a": ', "}"))},
        {"id": "wide", "vector": [1, 1], "metadata": {"a": list(range(200_000))}},
        {"id": "keys", "vector": [1, 1], "metadata": {f"a.{i}": i for i in range(50_000)}},
    ]
    assert shared_client.post(f"{API}/{name}/add", json={"items": items}).status_code == 200

    def found(wanted: Any) -> set[str]:
        body = {"vector": [1, 1], "filter": wanted, "include": []}
        answer = shared_client.post(f"{API}/{name}/search", json=body)
        assert answer.status_code == 200, answer.text
        return {hit["id"] for hit in answer.json()["results"]}

    assert found({"a": {"$exists": True}}) == {"deep", "objects", "wide"}
    assert found({"a": 199_999}) == {"wide"}
    assert found({"a": {"$contains": 5}}) == {"wide"}
    assert found({"a": [[1]]}) == set()
    assert found({".".join("a" * 16): {"$exists": True}}) == {"objects"}
    assert found({"a.49999": 49_999}) == {"keys"}


def test_thousands_of_filters_leave_the_memory_as_it_is(
    make_server: MakeServer, make_http: Callable[[Server], httpx.Client]
) -> None:
    server = make_server()
    client = make_http(server)
    client.post(API, json={"name": "docs", "dimension": 2})
    items = [{"id": f"{i}", "vector": [1, i], "metadata": {"n": i, "t": f"text {i}"}} for i in range(2_000)]
    assert client.post(f"{API}/docs/add", json={"items": items}).status_code == 200

    def ask(turn: int) -> None:
        value = f"{turn}" + "x" * 1_000_000
        for wanted in ({"t": value}, {"t": {"$in": [value]}}, {f"path{turn}": {"$exists": True}}):
            assert client.post(f"{API}/docs/count", json={"filter": wanted}).json() == {"count": 0}

    for turn in range(10):
        ask(turn)
    before = memory_bytes(server)
    for turn in range(10, 50):  # of what they send, 80 MB
        ask(turn)

    assert memory_bytes(server) - before < 50_000_000


def memory_bytes(server: Server) -> int:
    """Return the resident memory of the process group that a server leads."""
    assert server.process is not None
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            status, stat = (folder / "status").read_text(), (folder / "stat").read_text()
            if int(stat.rpartition(")")[2].split()[2]) == server.process.pid:
                total += int(status.partition("VmRSS:")[2].split()[0]) * 1024
    return total


@pytest.mark.slow
def test_items_that_always_match_are_always_found_while_others_are_written_and_deleted_by_filter(
    server: Server, make_http: Callable[[Server], httpx.Client]
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    client = make_http(server)
    client.post(API, json={"name": "docs", "dimension": 4, "distance": "euclidean"})

    def add(ids: list[str], group: str, scale: float) -> None:
        items = [
            {"id": key, "vector": [scale, i, 1, 2], "metadata": {"group": group, "i": i}} for i, key in enumerate(ids)
        ]
        assert client.post(f"{API}/docs/add", json={"items": items}).status_code == 200

    def search(turn: int) -> None:
        body = {"vector": [1, turn % 50, 1, 2], "k": 50, "filter": {"group": "stays"}, "include": []}
        answer = client.post(f"{API}/docs/search", json=body).json()
        assert {hit["id"] for hit in answer["results"]} == set(stays)
        assert answer["exact"]

    def move(turn: int) -> None:
        add(stays, "stays", 1 + turn % 7)

    def come_and_go(turn: int) -> None:
        group = f"goes-{turn}"
        add([f"{group}-{i}" for i in range(20)], group, 3)
        count = client.post(f"{API}/docs/count", json={"filter": {"group": group}}).json()
        gone = client.post(f"{API}/docs/delete", json={"filter": {"group": group, "i": {"$gte": 0}}}).json()
        assert (count, gone["deleted"]) == ({"count": 20}, 20)

    def patch(turn: int) -> None:
        changes = [{"id": key, "metadata": {"turn": turn}} for key in stays[::3]]
        assert client.patch(f"{API}/docs/items", json={"items": changes}).json()["updated"] == len(changes)

    def repeat(work: Callable[[int], None]) -> None:
        for turn in range(60):
            work(turn)

    stays = [f"stays-{i}" for i in range(50)]
    add(stays, "stays", 1)
    works = [search, search, move, come_and_go, patch]
    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(partial(repeat, work)) for work in works]:
            done.result(120)

    assert client.post(f"{API}/docs/count", json={}).json() == {"count": 50}


@pytest.mark.slow
def test_random_filters_over_many_items_match_what_the_language_says(
    server: Server, make_http: Callable[[Server], httpx.Client]
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    rng, client = random.Random(seed), make_http(server)
    client.post(API, json={"name": "docs", "dimension": 2})
    items = {f"{i}": random_metadata(i, rng) for i in range(3_000)}
    sent = [{"id": key, "vector": [1, int(key)], "metadata": value} for key, value in items.items()]
    assert client.post(f"{API}/docs/add", json={"items": sent}).status_code == 200

    for _ in range(150):
        wanted = random_filter(rng)
        passing = {key for key, value in items.items() if holds(wanted, value)}
        found = client.post(f"{API}/docs/search", json={"vector": [1, 5], "k": 1000, "filter": wanted}).json()

        keys = {hit["id"] for hit in found["results"]}
        assert (keys <= passing, len(keys)) == (True, min(1_000, len(passing))), wanted
        assert client.post(f"{API}/docs/count", json={"filter": wanted}).json() == {"count": len(passing)}, wanted
