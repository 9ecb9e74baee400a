"""Access, bodies and health over real connections to real servers."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable

import httpx
import pytest

from tests.conftest import MakeServer
from tests.processes import Server

MEBIBYTE = 1024 * 1024
PATH = "/v1/vectors/index"
TOKEN = "the-token-of-this-test"

MakeHttp = Callable[[Server], httpx.Client]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _raw(server: Server, request: bytes) -> tuple[int, dict[str, object]]:
    """Send bytes as they are; return status and body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read() or b"{}")


def test_a_server_with_a_token_answers_only_with_it(make_server: MakeServer, make_http: MakeHttp) -> None:
    client = make_http(make_server(LAKEHOUSE_AUTH_TOKEN=TOKEN))

    refused = client.get(PATH)

    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert client.get(PATH, headers=_bearer("wrong")).status_code == 401
    assert client.get(PATH, headers=_bearer(TOKEN)).status_code == 200
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").status_code == 401
    assert client.get("/ready", headers=_bearer(TOKEN)).json() == {"status": "ready"}


def test_a_token_made_and_revoked_by_a_command_counts_at_once(server: Server, make_http: MakeHttp) -> None:
    client = make_http(server)
    assert client.get(PATH).status_code == 200

    token = server.manage("token_create", "ci", "--scope", "read", "--index", "docs-*").stdout.strip()

    assert client.get(PATH).status_code == 401
    assert client.get(PATH, headers=_bearer(token)).status_code == 200
    assert client.post(PATH, headers=_bearer(token), json={"name": "docs-1", "dimension": 2}).status_code == 403
    assert client.get(f"{PATH}/mail-1", headers=_bearer(token)).status_code == 403
    server.manage("token_revoke", "ci")
    assert client.get(PATH, headers=_bearer(token)).status_code == 401
    assert token not in server.log()


def test_a_foreign_address_is_refused_everywhere_but_at_health(make_server: MakeServer, make_http: MakeHttp) -> None:
    server = make_server(LAKEHOUSE_AUTH_TOKEN=TOKEN, LAKEHOUSE_ALLOWED_IPS="10.0.0.0/8")
    client = make_http(server)

    for path in ("/", PATH, "/ready", "/docs/", "/admin/", "/static/rest_framework/css/default.css", "/nowhere"):
        answer = client.get(path, headers=_bearer(TOKEN))
        assert (answer.status_code, answer.json()["code"]) == (403, "address_not_allowed"), path
    assert client.get("/health").status_code == 200
    assert '"reason": "address_not_allowed"' in server.log()
    assert TOKEN not in server.log()


def test_forwarded_addresses_count_from_a_trusted_proxy(make_server: MakeServer, make_http: MakeHttp) -> None:
    client = make_http(
        make_server(
            LAKEHOUSE_AUTH_TOKEN=TOKEN, LAKEHOUSE_ALLOWED_IPS="10.0.0.0/8", LAKEHOUSE_TRUSTED_PROXIES="127.0.0.1"
        )
    )

    def status(forwarded_for: str) -> int:
        return client.get(PATH, headers={**_bearer(TOKEN), "X-Forwarded-For": forwarded_for}).status_code

    assert status("10.1.2.3") == 200
    assert status("10.1.2.3, 11.1.1.1") == 403
    assert status("11.1.1.1, 10.1.2.3") == 200


def test_a_wrong_host_is_refused_and_health_does_not_care(server: Server, make_http: MakeHttp) -> None:
    client = make_http(server)

    assert client.get(PATH, headers={"Host": "evil.example"}).json()["code"] == "bad_host"
    assert client.get("/health", headers={"Host": "evil.example"}).status_code == 200
    assert _raw(server, b"GET /v1/vectors/index HTTP/1.0\r\n\r\n")[0] == 400


@pytest.mark.slow
def test_a_body_over_the_limit_is_answered_413_and_the_sender_hears_it(server: Server) -> None:
    body = b" " * (70 * MEBIBYTE)
    for headers in ({"Content-Length": str(len(body))}, {"Transfer-Encoding": "chunked"}):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        try:
            # http.client sends everything before it listens, and fails if the server hangs up meanwhile.
            connection.request(
                "POST",
                PATH,
                body=body if "Content-Length" in headers else iter([body[:MEBIBYTE]] * 70),
                headers={"Content-Type": "application/json", **headers},
                encode_chunked="Transfer-Encoding" in headers,
            )
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large")
            assert answer.headers["Content-Type"] == "application/problem+json"
        finally:
            connection.close()


def test_a_sender_that_waits_for_leave_is_refused_before_it_sends(server: Server) -> None:
    started = time.monotonic()

    status, body = _raw(
        server,
        b"POST /v1/vectors/index HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 999999999\r\nExpect: 100-continue\r\n\r\n",
    )

    assert (status, body["code"]) == (413, "too_large")
    assert time.monotonic() - started < 10


def test_a_chunked_body_is_read(server: Server) -> None:
    body = b'{"name": "chunked", "dimension": 2}'
    head = b"POST /v1/vectors/index HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunks = b"%x\r\n%s\r\n" % (5, body[:5]) + b"%x\r\n%s\r\n" % (len(body) - 5, body[5:]) + b"0\r\n\r\n"

    status, info = _raw(server, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)

    assert (status, info["name"]) == (201, "chunked")


def test_the_request_id_is_in_the_answer_and_in_the_log(make_server: MakeServer, make_http: MakeHttp) -> None:
    server = make_server(LAKEHOUSE_AUTH_TOKEN=TOKEN)

    answer = make_http(server).get(PATH, headers={"X-Request-ID": "find-me-7"})

    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "find-me-7"
    refusals = [json.loads(line) for line in server.log().splitlines() if "request refused" in line]
    assert [entry["request_id"] for entry in refusals] == ["find-me-7"]
    assert (refusals[0]["reason"], refusals[0]["address"]) == ("token_missing", "127.0.0.1")


def test_throttling_over_http(make_server: MakeServer, make_http: MakeHttp) -> None:
    client = make_http(make_server(LAKEHOUSE_THROTTLE_RATES="read=3/hour"))

    answers = [client.get(PATH) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[3].headers["Retry-After"]) > 0
    assert client.get("/health").status_code == 200
