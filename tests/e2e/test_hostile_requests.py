"""Hostile requests around the body: types, encodings, sizes, paths, parameters and headers."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.conftest import MakeServer
from tests.e2e.test_hostile import API, JSON, PATHS, module_index, name
from tests.lakehouse_site.shapes import assert_problem
from tests.processes import Server

__all__ = ["module_index", "name"]  # fixtures

SEARCH = b'{"vector": [1, 2, 3]}'
MEBIBYTE = 1024 * 1024


def raw(server: Server, method: str, target: str, body: bytes | None = None, headers: Any = ()) -> SimpleNamespace:
    """Send a request target as it is, which better clients would put right; the answer has what httpx's has."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.putrequest(method, target)
        for header in headers:
            connection.putheader(*header)
        if body is not None:
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return SimpleNamespace(status_code=response.status, headers=response.headers, content=response.read())


def exchange(server: Server, request: bytes, *, ends: bool = True) -> bytes:
    """Send these bytes, and with `ends` say that no more will come; return what comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(request)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


CONTENT_TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                 "application/xml", "a", "/;;;=", "application/jsonx", "é", ""]  # fmt: skip


@pytest.mark.parametrize("call", PATHS)
@pytest.mark.parametrize("content_type", [None, *CONTENT_TYPES], ids=str)
def test_a_body_that_is_not_declared_as_json_is_415(
    shared_client: httpx.Client, name: str, call: str, content_type: str | None
) -> None:
    headers = [] if content_type is None else [(b"Content-Type", content_type.encode())]
    answer = shared_client.post(API + PATHS[call].format(name=name), content=SEARCH, headers=headers)

    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;x=y"]
)
def test_json_may_be_declared_in_several_ways(shared_client: httpx.Client, name: str, content_type: str) -> None:
    url = f"{API}/index/{name}/search"

    assert shared_client.post(url, content=SEARCH, headers={"Content-Type": content_type}).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "x"])
def test_an_encoded_body_is_415_and_not_taken_for_json(shared_client: httpx.Client, name: str, encoding: str) -> None:
    bomb = gzip.compress(b" " * MEBIBYTE)
    headers = JSON | {"Content-Encoding": encoding}

    assert_problem(shared_client.post(f"{API}/index/{name}/search", content=bomb, headers=headers), 415)


def pieces(total: int) -> Iterator[bytes]:
    """Yield an endless looking item of a batch."""
    yield b'{"items": [{"id": "'
    for _ in range(total // MEBIBYTE):
        yield b"a" * MEBIBYTE


def test_a_chunked_body_is_read(shared_client: httpx.Client, name: str) -> None:
    body = iter([SEARCH[:5], SEARCH[5:]])

    found = shared_client.post(f"{API}/index/{name}/search", content=body, headers=JSON)

    assert [hit["id"] for hit in found.json()["results"]] == ["kept"]


@pytest.mark.parametrize("call", ["add", "search", "merge"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["content-length", "chunked"])
def test_70_megabytes_are_413(shared_client: httpx.Client, name: str, call: str, is_chunked: bool) -> None:
    content: Any = pieces(70 * MEBIBYTE) if is_chunked else b"".join(pieces(70 * MEBIBYTE))

    assert_problem(shared_client.post(f"{API}/index/{name}/{call}", content=content, headers=JSON), 413, "too_large")


def test_the_limit_of_a_body_is_exact(make_server: MakeServer, make_http: Callable[[Server], httpx.Client]) -> None:
    client = make_http(make_server(LAKEHOUSE_MAX_BODY_BYTES="2000"))
    url = f"{API}/index"
    body = json.dumps({"name": "small", "dimension": 3}).encode()
    fits, over = body.ljust(2000), body.ljust(2001)

    assert_problem(client.post(url, content=over, headers=JSON), 413, "too_large")
    assert_problem(client.post(url, content=iter([over[:99], over[99:]]), headers=JSON), 413, "too_large")
    assert client.get(url).json()["count"] == 0
    assert client.post(url, content=iter([fits[:99], fits[99:]]), headers=JSON).status_code == 201
    assert_problem(client.post(url, content=fits, headers=JSON), 409, "index_exists")


NAMES = ["%2F", "a%2Fb", "%2e%2e", "..", ".", "...", "%00", "a%00", "%0A", "%0d%0a", "%", "%zz", "%ff%fe", "%ed%a0%80",
         "%5c", "%20", "a;b", "'", '"', "%27%20OR%201=1", "*", "{name}", "%25", quote("índice"), quote("\U0001f600"),
         "a" * 129, "a" * 5_000, quote("é" * 2_500), "index", "search", "%3F", "%23"]  # fmt: skip


@pytest.mark.parametrize("part", NAMES, ids=lambda part: part[:16])
def test_an_odd_name_in_a_path_is_404(shared_server: Server, name: str, part: str) -> None:
    bodies = {"add": b'{"items": []}', "search": SEARCH, "fetch": b'{"ids": []}', "delete": b'{"ids": []}'}
    for call, body in (bodies | {"merge": json.dumps({"dest": name}).encode()}).items():
        assert_problem(raw(shared_server, "POST", f"{API}/index/{part}/{call}", body), 404)
    for method, target in (("GET", part), ("DELETE", part), ("GET", f"{part}/items")):
        assert_problem(raw(shared_server, method, f"{API}/index/{target}"), 404)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=10001", "limit=1.0", "limit=true", "limit=", "limit=%D9%A3", "limit=%00",
     "limit=1e2", "limit=" + "9" * 5_000, "limit=000000001" + "9" * 9, "limit=000000001" + "9" * 5_000,
     "cursor=%00", "cursor=!!!", "cursor=a", "cursor=AA", "cursor=gICA", "cursor=7aCA", "cursor=%ff", "include=seq",
     "include=vector,%00", "include=%ff"],
    ids=lambda query: query[:24],
)  # fmt: skip
def test_an_odd_parameter_of_a_listing_is_400(shared_client: httpx.Client, name: str, query: str) -> None:
    assert_problem(shared_client.get(f"{API}/index/{name}/items?{query}"), 400, "invalid_input")


@pytest.mark.parametrize(
    "query", ["limit=" + "9" * 30, "limit=-1", "limit=x", "offset=" + "9" * 30, "offset=-1", "offset=%00"]
)
def test_an_odd_page_of_indexes_is_400(shared_client: httpx.Client, query: str) -> None:
    assert_problem(shared_client.get(f"{API}/index?{query}"), 400, "invalid_input")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_a_wrong_method_is_405(shared_client: httpx.Client, name: str, method: str) -> None:
    assert_problem(shared_client.request(method, f"{API}/index/{name}/search"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Request-ID", b"x" * 5_000),
        ("X-Request-ID", b"\xff\xfe"),
        ("X-Request-ID", b'"}\t{'),
        ("Accept", b"*/*;q=x"),
        ("Accept", b"\xff"),
        ("Accept", b"image/png"),
        ("Accept-Encoding", b"\xff"),
        ("Cookie", b"sessionid=\xff; csrftoken=\x80; =;;;"),
        ("X-Forwarded-For", b"\xff, 1.2.3.4.5"),
        ("Content-Encoding", b"identity"),
        ("Expect", b"100-continue"),
        ("Range", b"bytes=0-1"),
        ("If-None-Match", b"\xff"),
    ],
)
def test_an_odd_header_does_not_change_the_answer(shared_server: Server, name: str, header: str, value: bytes) -> None:
    answer = raw(shared_server, "POST", f"{API}/index/{name}/search", SEARCH, [(header, value)])

    assert answer.status_code == 200, answer.content
    assert [hit["id"] for hit in json.loads(answer.content)["results"]] == ["kept"]
    assert len(answer.headers["X-Request-ID"]) == 16


@pytest.mark.parametrize(
    "value",
    [b"Bearer \xff\xfe", b"Bearer \xc3\xa9", b"Bearer", b"Bearer ", b"Basic \xff", b"\xff", b"Bearer " + b"a" * 5_000],
)
def test_an_odd_token_is_refused_or_ignored(shared_server: Server, name: str, value: bytes) -> None:
    answer = raw(shared_server, "POST", f"{API}/index/{name}/search", SEARCH, [("Authorization", value)])

    if answer.status_code != 200:  # nothing is configured, so a caller on loopback needs no token
        assert_problem(answer, 401)


@pytest.mark.parametrize("host", [b"evil.example", b"\xff", b"a b", b"127.0.0.1:x", b"[::1", b""])
def test_an_odd_host_is_400(shared_server: Server, name: str, host: bytes) -> None:
    answer = exchange(
        shared_server, b"GET /v1/vectors/index HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n", ends=False
    )

    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "lines",
    [b"Content-Length: abc", b"Content-Length: -5", b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5, 6",
     b"Content-Length: 99999999999999999999999", b"Content-Length: 21\r\nTransfer-Encoding: x",
     b"Transfer-Encoding: chunked", b"Content-Length: 500", b"Bad Header: x", b": x", b"X-Long: " + b"a" * 1_000_000],
    ids=lambda lines: lines[:60].decode(),
)  # fmt: skip
def test_a_malformed_message_is_refused_and_harms_nobody(shared_server: Server, name: str, lines: bytes) -> None:
    head = f"POST {API}/index/{name}/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n".encode()

    try:
        answer = exchange(shared_server, head + lines + b"\r\n\r\n" + SEARCH)
    except OSError:
        answer = b""  # refused before all was sent

    # The server itself answers these, where anything does, before there is a request.
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer
