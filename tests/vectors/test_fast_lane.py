"""The short way answers what the long way answers, or nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
from pytest_django import Settings

from lakehouse_site import fast_lane
from lakehouse_site.access.services import create_token, revoke_token
from lakehouse_site.fast_lane import MAX_BODY_BYTES, FastLane
from tests.factories import add, delete, find, make_index
from vectors.replicas import replicas

PATH = "/v1/vectors/index/docs/search"
ITEMS = [
    {"id": f"i{number}", "vector": [1.0, number / 7, -number / 3], "metadata": {"n": number, "big": 2**70 + number}}
    for number in range(40)
]
PLAIN = [
    {"vector": [1, 2, 3]},
    {"vector": [0.1, 0.2, 1e-3], "k": 1000, "include": ["metadata", "vector"]},
    {"vector": [1, 2, 3], "include": []},
    {"vectors": [[1, 2, 3], [3, 2, 1]], "k": 3},
    {"vectors_b64": ["AACAPwAAAEAAAEBA"] * 2, "k": 3},
    {"vector_b64": "AACAPwAAAEAAAEBA", "max_distance": 0.5},
    {"id": "i7", "k": 5},
    {"vector": [1, 2, 3], "mmr": {"lambda": 0.3, "fetch_k": 20}},
    {"vector": [1, 2, 3], "filter": {"n": {"$lt": 20}}},
]
NOT_PLAIN = [
    {"vector": [1, 2]},
    {"vector": [1, 2, 3], "exact": True},
    {"vector": [1, 2, 3], "filter": {"big": 2**70 + 3}},
    {"vector": [1, 2, 3], "filter": {"never": "asked for"}},
    {"vector": [1, 2, 3], "unknown": 1},
    {"id": "nobody"},
    [],
]


class Long:
    """Django's application, and how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0
        self._application = get_wsgi_application()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.calls += 1
        return self._application(environ, start_response)


class Caller:
    """Calls an application as a server does."""

    def __init__(self, application: Any) -> None:
        self._application = application

    def __call__(self, body: Any, path: str = PATH, **variables: str) -> tuple[str, dict[str, str], bytes]:
        raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else dumps(body)
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(raw)),
            "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "HTTP_X_REQUEST_ID": "the-same",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            "wsgi.errors": io.StringIO(),
            **variables,
        }
        began: list[Any] = []
        chunks = self._application(environ, lambda status, headers: began.extend((status, dict(headers))))
        content = b"".join(chunks)
        getattr(chunks, "close", lambda: None)()
        return began[0], began[1], content


def dumps(body: Any) -> bytes:

    return json.dumps(body).encode()


@pytest.fixture
def long(vectors_db: None) -> Long:
    make_index(dimension=3)
    add("docs", ITEMS)
    find("docs", [1, 2, 3])  # into memory
    find("docs", [1, 2, 3], filter={"n": {"$lt": 3}})
    _ = get_resolver().url_patterns  # opens the lane, as a server's first call does
    return Long()


@pytest.mark.parametrize("body", PLAIN, ids=str)
def test_a_plain_search_is_answered_as_on_the_long_way(long: Long, body: Any) -> None:
    short = Caller(FastLane(long))(body)

    assert long.calls == 0
    assert short == Caller(long)(body)
    assert short[0] == "200 OK"


@pytest.mark.parametrize("body", [*NOT_PLAIN, "{", "", b"\xff", '{"vector": [1, 2, 1e400]}'], ids=str)
def test_what_is_not_plain_is_left_to_the_long_way(long: Long, body: Any) -> None:
    short = Caller(FastLane(long))(body)

    assert long.calls == 1
    assert short == Caller(long)(body)


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTP_COOKIE": "a=b"},
        {"HTTP_ACCEPT": "application/json;q=0.5"},
        {"CONTENT_TYPE": "application/json; charset=utf-8"},
        {"CONTENT_TYPE": "text/plain"},
        {"QUERY_STRING": "format=api"},
        {"HTTP_CONTENT_ENCODING": "gzip"},
        {"HTTP_HOST": "evil.example"},
        {"HTTP_HOST": ""},
        {"REMOTE_ADDR": "192.0.2.1", "SERVER_NAME": "192.0.2.2"},
        {"CONTENT_LENGTH": "5"},
        {"CONTENT_LENGTH": "99"},
        {"CONTENT_LENGTH": ""},
        {"CONTENT_LENGTH": "x"},
        {"REQUEST_METHOD": "GET"},
    ],
    ids=str,
)
def test_an_unusual_request_is_left_to_the_long_way(long: Long, variables: dict[str, str]) -> None:
    body = PLAIN[0]

    short = Caller(FastLane(long))(body, **variables)

    assert long.calls == 1
    assert short == Caller(long)(body, **variables)


def test_a_page_for_people_is_left_to_the_long_way(long: Long) -> None:
    _, headers, _ = Caller(FastLane(long))(PLAIN[0], HTTP_ACCEPT="text/html")

    assert (long.calls, headers["Content-Type"]) == (1, "text/html; charset=utf-8")


def test_a_large_body_is_left_to_the_long_way(long: Long) -> None:
    body = dumps(PLAIN[0]) + b" " * MAX_BODY_BYTES

    assert Caller(FastLane(long))(body) == Caller(long)(body)
    assert long.calls == 2


@pytest.mark.parametrize("path", ["/v1/vectors/index/none/search", "/v1/vectors/search", "/elsewhere/search"])
def test_another_path_is_left_to_the_long_way(long: Long, path: str) -> None:
    assert Caller(FastLane(long))(PLAIN[0], path) == Caller(long)(PLAIN[0], path)
    assert long.calls == 2


def test_an_index_that_is_not_in_memory_is_left_to_the_long_way(long: Long) -> None:
    replicas.forget_name("docs")

    Caller(FastLane(long))(PLAIN[0])

    assert long.calls == 1


def test_a_write_is_seen_at_once(long: Long) -> None:
    add("docs", [{"id": "new", "vector": [1, 2, 3]}])
    delete("docs", "i0")

    status, _, content = Caller(FastLane(long))({"vector": [1, 2, 3], "k": 100})

    found = [hit["id"] for hit in orjson.loads(content)["results"]]
    assert (status, found[0], len(found), long.calls) == ("200 OK", "new", 40, 0)


def test_a_call_that_hangs_holds_up_no_other(long: Long) -> None:
    with fast_lane._one_at_a_time:
        status = Caller(FastLane(long))(PLAIN[0])[0]

    assert (status, long.calls) == ("200 OK", 0)
    assert not fast_lane._one_at_a_time.locked()


def test_limits_on_calls_are_kept_by_the_long_way(long: Long, settings: Settings) -> None:
    settings.LAKEHOUSE_THROTTLE_RATES = {"read": "100/min"}

    Caller(FastLane(long))(PLAIN[0])

    assert long.calls == 1


def test_a_token_is_needed_on_both_ways(long: Long) -> None:
    good = create_token(name="good", scope="read", index_pattern="d*").token
    other = create_token(name="other", scope="admin", index_pattern="e*").token
    gone = create_token(name="gone", scope="admin").token
    revoke_token(name="gone")
    lane = Caller(FastLane(long))

    assert lane(PLAIN[0], HTTP_AUTHORIZATION=f"Bearer {good}")[0] == "200 OK"
    assert long.calls == 0
    for header in (
        "",
        f"Bearer {other}",
        f"Bearer {gone}",
        "Bearer ",
        f"bearer {good}",
        f"Bearer {good}x",
        "Basic YQ==",
    ):
        variables = {"HTTP_AUTHORIZATION": header} if header else {}
        assert lane(PLAIN[0], **variables) == Caller(long)(PLAIN[0], **variables)
        assert lane(PLAIN[0], **variables)[0][:3] in ("401", "403")


class Broken(Exception):
    """Nobody has foreseen this."""


def test_a_failure_of_the_short_way_is_logged_once_a_minute_and_answered_on_the_long_way(
    long: Long, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str, body: bytes) -> bytes:
        raise Broken

    monkeypatch.setattr(fast_lane, "_handlers", [(pattern, fail) for pattern, _ in fast_lane._handlers])
    monkeypatch.setattr(fast_lane, "_noted", {})
    call = Caller(FastLane(long))

    first, second = call(PLAIN[0]), call(PLAIN[0])
    fast_lane._noted["Broken"] -= fast_lane.NOTE_SECONDS  # as if so much time had passed
    third = call(PLAIN[0])

    assert {status for status, _, _ in (first, second, third)} == {"200 OK"}
    assert long.calls == 3
    lines = [record for record in caplog.records if record.message == "short way failed"]
    assert [(line.levelname, line.__dict__["error"]) for line in lines] == [("WARNING", "Broken")] * 2


@pytest.mark.parametrize("body", [{"vector": [1, 2]}, {"id": "nobody"}], ids=str)
def test_what_is_the_callers_fault_is_no_failure_of_the_short_way(
    long: Long, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, body: Any
) -> None:
    monkeypatch.setattr(fast_lane, "_noted", {})

    status, _, _ = Caller(FastLane(long))(body)

    assert status.startswith("4")
    assert not [record for record in caplog.records if record.message == "short way failed"]
