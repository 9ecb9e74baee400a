"""Bodies nobody should send: each is answered with its status in the one error shape, and the server goes on."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.lakehouse_site.shapes import assert_problem
from tests.processes import NO_TLS, Server

API = "/v1/vectors"
JSON = {"Content-Type": "application/json"}
STORED: dict[str, Any] = {"id": "kept", "vector": [1.0, 2.0, 3.0], "metadata": {"n": 1}}
PATHS = {
    "create": "/index",
    "multi_search": "/search",
    **{call: f"/index/{{name}}/{call}" for call in ("add", "search", "fetch", "delete", "merge")},
}
DIGITS = b"1" * 4_000


@pytest.fixture(scope="module")
def module_index(_session_server: Server) -> str:
    """An index of three numbers with one item."""
    name = f"hostile-{secrets.token_hex(6)}"
    with httpx.Client(base_url=_session_server.base_url, timeout=60, trust_env=False, verify=NO_TLS) as client:
        info = {"name": name, "dimension": 3, "distance": "euclidean"}
        assert client.post(f"{API}/index", json=info).status_code == 201
        assert client.post(f"{API}/index/{name}/add", json={"items": [STORED]}).status_code == 200
    return name


@pytest.fixture
def name(shared_client: httpx.Client, module_index: str) -> Iterator[str]:
    """An index whose only item is there unchanged after the test."""
    yield module_index
    assert shared_client.get("/health").status_code == 200
    body = {"vector": [1, 2, 3], "include": ["vector", "metadata"]}
    answer = shared_client.post(f"{API}/index/{module_index}/search", json=body)
    assert answer.status_code == 200
    assert answer.json()["results"] == [STORED | {"distance": 0.0}]


def send(client: httpx.Client, call: str, name: str, body: bytes) -> httpx.Response:
    return client.post(API + PATHS[call].format(name=name), content=body, headers=JSON)


NOT_JSON = {
    "empty": b"",
    "blank": b" \r\n\t",
    "null": b"null",
    "array": b"[]",
    "string": b'"x"',
    "number": b"1",
    "truncated": b'{"items": [{"id": "a", "vect',
    "trailing": b'{"k": 1} {"k": 2}',
    "comment": b'{/* */ "k": 1}',
    "single-quotes": b"{'k': 1}",
    "nan": b'{"k": NaN}',
    "infinity": b'{"k": Infinity}',
    "minus-infinity": b'{"k": -Infinity}',
    "1e400": b'{"k": 1e400}',
    "4000-digits": b'{"k": ' + DIGITS + b"}",
    "5000-digits": b'{"k": ' + b"1" * 5_000 + b"}",
    "deep-open": b"[" * 100_000,
    "deep-arrays": b"[" * 100_000 + b"]" * 100_000,
    "deep-objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "lone-surrogate": b'{"id": "\\ud800"}',
    "lone-surrogate-key": b'{"\\udfff": 1}',
    "raw-surrogate": b'{"id": "\xed\xa0\x80"}',
    "raw-nul": b'{"id": "a\x00b"}',
    "nul-outside": b'\x00{"k": 1}',
    "not-utf8": b'{"id": "\xff\xfe"}',
    "overlong": b'{"id": "\xc0\x80"}',
    "utf16": '{"k": 1}'.encode("utf-16"),
    "bom": b'\xef\xbb\xbf{"k": 1}',
    "unknown-field": b'{"nonsense": 1}',
    "prototype": b'{"__proto__": {"k": 1}}',
}


@pytest.mark.parametrize("call", PATHS)
@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_what_no_call_can_read_is_400_everywhere(
    shared_client: httpx.Client, name: str, call: str, body: bytes
) -> None:
    assert_problem(send(shared_client, call, name, body), 400, "invalid_input")


def _item(**changed: Any) -> bytes:
    return json.dumps({"items": [{"id": "new", "vector": [1, 2, 3], **changed}]}).encode()


def _vector(text: str) -> bytes:
    return b'{"items": [{"id": "new", "vector": ' + text.encode() + b"}]}"


def _b64(*numbers: float) -> str:
    return base64.b64encode(np.array(numbers, "<f4").tobytes()).decode()


WRONG_VALUES: list[tuple[str, str, bytes, int]] = [
    ("add", "true", _vector("[true, 2, 3]"), 400),
    ("add", "false", _vector("[0, false, 3]"), 400),
    ("add", "text-number", _vector('["1.0", 2, 3]'), 400),
    ("add", "null-number", _vector("[null, 2, 3]"), 400),
    ("add", "nested-number", _vector("[[1], 2, 3]"), 400),
    ("add", "nested-vector", _vector("[[1, 2, 3]]"), 400),
    ("add", "object-number", _vector('[{"a": 1}, 2, 3]'), 400),
    ("add", "1e39", _vector("[1e39, 2, 3]"), 400),
    ("add", "-1e39", _vector("[1, 2, -1e39]"), 400),
    ("add", "1e308", _vector("[1e308, 2, 3]"), 400),
    ("add", "4000-digits", _vector(f"[{DIGITS.decode()}, 2, 3]"), 400),
    ("add", "300-digits", _vector(f"[{'1' * 300}, 2, 3]"), 400),
    ("add", "nan", _vector("[NaN, 2, 3]"), 400),
    ("add", "too-short", _vector("[1, 2]"), 400),
    ("add", "too-long", _vector("[1, 2, 3, 4]"), 400),
    ("add", "no-numbers", _vector("[]"), 400),
    ("add", "vector-object", _vector("{}"), 400),
    ("add", "vector-null", _vector("null"), 400),
    ("add", "b64-not", _item(vector=None, vector_b64="%%%"), 400),
    ("add", "both-vectors", _item(vector_b64=_b64(1, 2, 3)), 400),
    ("add", "b64-short", b'{"items": [{"id": "new", "vector_b64": "AAAA"}]}', 400),
    ("add", "b64-nan", json.dumps({"items": [{"id": "new", "vector_b64": _b64(1, float("nan"), 3)}]}).encode(), 400),
    ("add", "b64-surrogate", b'{"items": [{"id": "new", "vector_b64": "\\u00e9AAA"}]}', 400),
    ("add", "id-missing", b'{"items": [{"vector": [1, 2, 3]}]}', 400),
    ("add", "id-null", _item(id=None), 400),
    ("add", "id-number", _item(id=7), 400),
    ("add", "id-true", _item(id=True), 400),
    ("add", "id-empty", _item(id=""), 400),
    ("add", "id-long", _item(id="é" * 513), 400),
    ("add", "id-nul", _item(id="a\0b"), 400),
    ("add", "id-array", _item(id=["a"]), 400),
    ("add", "metadata-array", _item(metadata=[1]), 400),
    ("add", "metadata-text", _item(metadata="x"), 400),
    ("add", "metadata-false", _item(metadata=False), 400),
    ("add", "metadata-nan", _vector('[1, 2, 3], "metadata": {"a": NaN}'), 400),
    ("add", "metadata-4000-digits", _vector(f'[1, 2, 3], "metadata": {{"a": {DIGITS.decode()}}}'), 400),
    ("add", "metadata-surrogate", _vector('[1, 2, 3], "metadata": {"a": "\\udc00"}'), 400),
    ("add", "metadata-surrogate-key", _vector('[1, 2, 3], "metadata": {"\\udc00": 1}'), 400),
    ("add", "item-unknown-field", _item(vektor=1), 400),
    ("add", "item-null", b'{"items": [null]}', 400),
    ("add", "item-text", b'{"items": ["x"]}', 400),
    ("add", "items-object", b'{"items": {}}', 400),
    ("add", "items-null", b'{"items": null}', 400),
    ("add", "items-missing", b"{}", 400),
    ("add", "one-bad-of-three", _item()[:-2] + b', {"id": "b"}, {"id": "c", "vector": [1, 2, 3]}]}', 400),
    ("add", "too-many", b'{"items": [' + b",".join([b"0"] * 10_001) + b"]}", 413),
    *(
        ("search", f"k={k[:12]}", f'{{"vector": [1, 2, 3], "k": {k}}}'.encode(), 400)
        for k in ("0", "-1", "1001", "1.0", "1e2", "true", '"5"', "[5]", "9" * 30, "-" + "9" * 30, DIGITS.decode())
    ),
    ("search", "nothing", b"{}", 400),
    ("search", "vector-and-id", b'{"vector": [1, 2, 3], "id": "kept"}', 400),
    ("search", "vector-and-vectors", b'{"vector": [1, 2, 3], "vectors": [[1, 2, 3]]}', 400),
    ("search", "no-vectors", b'{"vectors": []}', 400),
    ("search", "empty-vector-in-vectors", b'{"vectors": [[]]}', 400),
    ("search", "vectors-object", b'{"vectors": {"0": [1, 2, 3]}}', 400),
    ("search", "too-many-vectors", b'{"k": 1, "vectors": [' + b",".join([b"[1,2,3]"] * 1_001) + b"]}", 400),
    ("search", "too-many-hits", b'{"k": 1000, "vectors": [' + b",".join([b"[1,2,3]"] * 101) + b"]}", 400),
    ("search", "vector-empty", b'{"vector": []}', 400),
    ("search", "vector-true", b'{"vector": [true, 2, 3]}', 400),
    ("search", "vector-1e39", b'{"vector": [1e39, 2, 3]}', 400),
    ("search", "vector-nested", b'{"vector": [[1, 2, 3]]}', 400),
    ("search", "id-nul", b'{"id": "\\u0000"}', 400),
    ("search", "id-number", b'{"id": 1}', 400),
    ("search", "id-unknown", b'{"id": "nobody"}', 404),
    ("search", "include-unknown", b'{"vector": [1, 2, 3], "include": ["seq"]}', 400),
    ("search", "include-text", b'{"vector": [1, 2, 3], "include": "vector"}', 400),
    ("search", "include-nested", b'{"vector": [1, 2, 3], "include": [["vector"]]}', 400),
    ("search", "exact-number", b'{"vector": [1, 2, 3], "exact": 1}', 400),
    ("search", "max-distance-text", b'{"vector": [1, 2, 3], "max_distance": "1"}', 400),
    ("search", "max-distance-true", b'{"vector": [1, 2, 3], "max_distance": true}', 400),
    *(
        ("create", f"dimension={d[:12]}", f'{{"name": "never", "dimension": {d}}}'.encode(), 400)
        for d in ("0", "-1", "16385", "3.0", "true", '"3"', "null", "[3]", "9" * 30, "1e9", DIGITS.decode())
    ),
    *(
        ("create", f"name={n[:12]!a}", json.dumps({"name": n, "dimension": 3}).encode(), 400)
        for n in ("", "a/b", "..", ".a", "-a", "é", "a b", "a\n", "a\0", "a" * 129, "a" * 5_000, "%2F", "index?x")
    ),
    ("create", "name-number", b'{"name": 5, "dimension": 3}', 400),
    ("create", "name-null", b'{"name": null, "dimension": 3}', 400),
    ("create", "distance-unknown", b'{"name": "never", "dimension": 3, "distance": "l2"}', 400),
    ("create", "distance-array", b'{"name": "never", "dimension": 3, "distance": ["dot"]}', 400),
    ("create", "m-1", b'{"name": "never", "dimension": 3, "m": 1}', 400),
    ("create", "m-huge", b'{"name": "never", "dimension": 3, "m": 99999999999}', 400),
    ("create", "ef-0", b'{"name": "never", "dimension": 3, "ef_search": 0}', 400),
    *(
        (call, f"ids={ids[:14]}", f'{{"ids": {ids}}}'.encode(), 400)
        for call in ("delete", "fetch")
        for ids in ('"kept"', "null", "{}", "[1]", "[null]", '[""]', '["a", ["b"]]', '["\\u0000"]', "[true]")
    ),
    ("fetch", "include-unknown", b'{"ids": [], "include": ["nothing"]}', 400),
    ("delete", "filter-and-ids", b'{"ids": [], "nothing": {}}', 400),
    ("merge", "no-dest", b"{}", 400),
    ("merge", "dest-number", b'{"dest": 5}', 400),
    ("merge", "dest-null", b'{"dest": null}', 400),
    ("merge", "dest-unknown", b'{"dest": "nobody"}', 404),
    ("merge", "dest-empty", b'{"dest": ""}', 404),
    ("merge", "dest-long", b'{"dest": "' + b"a" * 5_000 + b'"}', 404),
    ("merge", "dest-nul", b'{"dest": "a\\u0000"}', 404),
    ("merge", "clear-number", b'{"dest": "nobody", "clear_source": 1}', 400),
    ("merge", "conflict-unknown", b'{"dest": "nobody", "on_conflict": "replace"}', 400),
    ("multi_search", "no-indexes", b'{"indexes": [], "vector": [1, 2, 3]}', 400),
    ("multi_search", "indexes-text", b'{"indexes": "a", "vector": [1, 2, 3]}', 400),
    ("multi_search", "index-number", b'{"indexes": [1], "vector": [1, 2, 3]}', 400),
    ("multi_search", "index-unknown", b'{"indexes": ["nobody"], "vector": [1, 2, 3]}', 404),
    ("multi_search", "index-nul", b'{"indexes": ["\\u0000"], "vector": [1, 2, 3]}', 404),
    ("multi_search", "too-many", json.dumps({"indexes": [f"i{n}" for n in range(65)], "vector": [1]}).encode(), 400),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "body", "status"),
    [pytest.param(call, body, status, id=f"{call}-{what}") for call, what, body, status in WRONG_VALUES],
)
def test_each_wrong_value_has_its_status(
    shared_client: httpx.Client, name: str, call: str, body: bytes, status: int
) -> None:
    problem = assert_problem(send(shared_client, call, name, body), status)

    # Faults are placed: an empty list would leave the caller guessing.
    assert (status == 400) == bool(problem.get("errors"))


def test_every_bad_item_of_a_batch_is_named(shared_client: httpx.Client, name: str) -> None:
    good = {"id": "a", "vector": [1, 2, 3]}
    items = [good, {"id": 1, "vector": [1, 2, 3]}, good, {"id": "b", "vector": [1, 2]}, "x", {**good, "metadata": 3}]

    problem = assert_problem(send(shared_client, "add", name, json.dumps({"items": items}).encode()), 400)

    pointers = [error["pointer"] for error in problem["errors"]]
    assert pointers == ["/items/1/id", "/items/3/vector", "/items/4", "/items/5/metadata"]
