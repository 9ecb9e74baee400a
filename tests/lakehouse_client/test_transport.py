"""What is sent again, when, and what the caller is told in the end."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

import lakehouse_client as lakehouse
from lakehouse_client import Client
from lakehouse_client.transport import Backoff, retry_after_seconds
from tests.lakehouse_client.scripted import Reply, Scripted, problem
from tests.ports import free_port

ADDED = {"added": 1, "updated": 0, "count": 1, "seq": 1}
ITEM = {"id": "a", "vector": [1.0, 2.0]}
TOKEN = "secret-token-93411"


@pytest.mark.parametrize("status", [429, 503])
def test_a_call_is_sent_again_as_late_as_retry_after_says(
    scripted: Scripted, client: Client, waits: list[float], status: int
) -> None:
    scripted.script.extend([problem(status, "later", Retry_After="7"), Reply(ADDED)])

    client.index("docs").add([ITEM])

    assert len(waits) == 1
    assert 7 <= waits[0] <= 7.5
    first, second = scripted.received
    assert (first.body, first.headers["X-Request-ID"]) == (second.body, second.headers["X-Request-ID"])


def test_retry_after_may_be_a_date(scripted: Scripted, client: Client, waits: list[float]) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    scripted.script.extend([problem(503, "later", Retry_After=when), Reply({"count": 3})])

    client.index("docs").count()

    assert 25 < waits[0] < 31


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "٣"])
def test_a_retry_after_that_cannot_be_read_is_no_failure(value: str) -> None:
    assert retry_after_seconds(value) is None


def test_a_wait_that_is_too_long_is_left_to_the_caller(scripted: Scripted, client: Client, waits: list[float]) -> None:
    scripted.script.append(problem(429, "throttled", Retry_After="3600"))

    with pytest.raises(lakehouse.Throttled) as caught:
        client.index("docs").count()

    assert (caught.value.retry_after_seconds, caught.value.tries, waits) == (3600, 1, [])


def test_waits_double_with_jitter_up_to_a_limit() -> None:
    backoff = Backoff(retries=2000, first_seconds=1, most_seconds=8, most_retry_after_seconds=60)

    for tries, longest in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (1999, 8)]:
        seconds = backoff.seconds(tries, None)
        assert seconds is not None
        assert longest / 2 <= seconds <= longest
    assert backoff.seconds(2001, None) is None


def test_after_the_last_retry_the_error_is_raised(scripted: Scripted, client: Client, waits: list[float]) -> None:
    scripted.otherwise = lambda received: problem(503, "database_unavailable")

    with pytest.raises(lakehouse.Unavailable) as caught:
        client.index("docs").count()

    assert (caught.value.tries, len(scripted.received), len(waits)) == (4, 4, 3)


@pytest.mark.parametrize("status", [400, 404, 409, 413, 500])
def test_what_would_fail_again_is_not_sent_again(
    scripted: Scripted, client: Client, waits: list[float], status: int
) -> None:
    scripted.otherwise = lambda received: problem(status, "no")

    with pytest.raises(lakehouse.ProblemError):
        client.index("docs").count()

    assert len(scripted.received) == 1


@pytest.mark.parametrize("reply", [Reply(fault="lost"), Reply(ADDED, fault="half"), Reply("<html>", 502)])
def test_a_lost_answer_is_asked_for_again_when_that_is_safe(
    scripted: Scripted, client: Client, waits: list[float], reply: Reply
) -> None:
    scripted.script.extend([reply, Reply(ADDED)])

    assert client.index("docs").add([ITEM]).added == 1

    assert len(waits) == 1


UNSAFE: dict[str, Callable[[Client], Any]] = {
    "delete by filter": lambda client: client.index("docs").delete(filter={"lang": "en"}),
    "delete_index": lambda client: client.delete_index("docs"),
    "merge that may conflict": lambda client: client.index("docs").merge_into("other", on_conflict="error"),
}


@pytest.mark.parametrize("call", UNSAFE.values(), ids=UNSAFE.keys())
@pytest.mark.parametrize("reply", [Reply(fault="lost"), Reply({"deleted": 1}, fault="half")], ids=["lost", "half"])
def test_a_call_that_may_do_harm_twice_is_not_sent_again(
    scripted: Scripted, client: Client, waits: list[float], call: Callable[[Client], Any], reply: Reply
) -> None:
    scripted.script.append(reply)

    with pytest.raises(lakehouse.ConnectionLost, match="may have carried it out") as caught:
        call(client)

    assert caught.value.maybe_done
    assert len(scripted.received) == 1


@pytest.mark.parametrize("call", UNSAFE.values(), ids=UNSAFE.keys())
def test_such_a_call_is_sent_again_after_429_and_not_after_503(
    scripted: Scripted, client: Client, call: Callable[[Client], Any]
) -> None:
    scripted.script.extend([problem(429, "throttled"), problem(503, "database_unavailable")])

    with pytest.raises(lakehouse.Unavailable) as caught:
        call(client)

    assert (caught.value.tries, caught.value.maybe_done, len(scripted.received)) == (2, True, 2)


def test_nobody_there_is_tried_again_and_says_where(waits: list[float]) -> None:
    port = free_port()

    with Client(f"http://127.0.0.1:{port}", retries=2) as client, pytest.raises(lakehouse.ConnectionLost) as caught:
        client.delete_index("docs")

    assert len(waits) == 2
    assert not caught.value.maybe_done
    assert f"no connection to http://127.0.0.1:{port} (ConnectionRefusedError" in str(caught.value)
    assert "Tried 3 times" in str(caught.value)


def test_a_server_that_is_silent_is_not_asked_again(scripted: Scripted, waits: list[float]) -> None:
    scripted.script.append(Reply(fault="silent"))

    with Client(scripted.base_url, timeout_seconds=0.05) as client, pytest.raises(lakehouse.TimedOut, match=r"0\.05 s"):
        client.index("docs").count()

    assert (len(scripted.received), waits) == (1, [])


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(b"SSH-2.0-OpenSSH_9.2\r\n", fault="raw"), "does not speak HTTP"),
        (Reply(b"<html>hello"), "not JSON"),
        (Reply(b""), "not JSON"),
        (Reply(b"[" * 100_000), "not JSON"),
        (Reply(b"\xff\xfe"), "not JSON"),
        (Reply([1, 2]), "Expected an object"),
        (Reply({"count": "many"}), "no 'count' of type int"),
        (Reply(b"", 301, {"Location": "https://elsewhere.example/"}), "redirected to 'https://elsewhere.example/'"),
    ],
)
def test_an_answer_that_is_none_is_an_error_with_a_remedy(
    scripted: Scripted, client: Client, reply: Reply, message: str
) -> None:
    scripted.script.append(reply)

    with pytest.raises(lakehouse.UnexpectedAnswer, match=message):
        client.index("docs").count()


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, lakehouse.InvalidInput),
        (401, lakehouse.Unauthorized),
        (403, lakehouse.Forbidden),
        (404, lakehouse.NotFound),
        (405, lakehouse.ProblemError),
        (409, lakehouse.Conflict),
        (413, lakehouse.TooLarge),
        (429, lakehouse.Throttled),
        (500, lakehouse.ServerError),
        (503, lakehouse.Unavailable),
        (507, lakehouse.ServerError),
    ],
)
def test_each_status_has_its_class(scripted: Scripted, status: int, cls: type[lakehouse.ProblemError]) -> None:
    scripted.script.append(problem(status, "some_code"))

    with Client(scripted.base_url, retries=0) as client, pytest.raises(lakehouse.ProblemError) as caught:
        client.get_index("docs")

    error = caught.value
    assert type(error) is cls
    assert (error.status, error.code, error.title, error.detail, error.request_id) == (
        *(status, "some_code", "T", "D"),
        "r1",
    )
    assert str(error) == f"GET /v1/vectors/index/docs: {status} some_code: D [request r1]"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(again), vars(again), str(again)) == (cls, vars(error), str(error))


@pytest.mark.parametrize("body", [b"<html>Bad gateway", b"", b"[]", b"{}", b"null", b'{"detail": "x"}', b"\xff"])
def test_an_error_of_something_else_is_told_by_its_status(scripted: Scripted, body: bytes) -> None:
    scripted.script.append(Reply(body, 502))

    with Client(scripted.base_url, retries=0) as client, pytest.raises(lakehouse.ServerError) as caught:
        client.get_index("docs")

    assert (caught.value.status, caught.value.code) == (502, "http_502")


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"code": "unauthorized", "detail": f"you sent {TOKEN}", "errors": [{"detail": TOKEN}]}, 401),
        Reply(f"you sent Bearer {TOKEN}".encode(), 401),
        Reply(f"you sent Bearer {TOKEN}".encode()),
        Reply(b"", 302, {"Location": f"/login?{TOKEN}"}),
    ],
)
def test_the_token_is_sent_and_never_shown(scripted: Scripted, reply: Reply) -> None:
    scripted.script.append(reply)

    with Client(scripted.base_url, TOKEN) as client, pytest.raises(lakehouse.LakehouseClientError) as caught:
        client.get_index("docs")

    assert scripted.received[0].headers["Authorization"] == f"Bearer {TOKEN}"
    shown = [str(caught.value), repr(caught.value), repr(vars(caught.value)), repr(client), repr(client.index("a"))]
    assert not [text for text in shown if TOKEN in text]


@pytest.mark.parametrize("token", ["", "two words", f"{TOKEN}\n", "ünicode"])
def test_what_cannot_be_a_token_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(lakehouse.BadArgument, match="token") as caught:
        Client("http://127.0.0.1:1", token)

    assert TOKEN not in str(caught.value)
