"""A connection goes on after a refusal, also when the refusal did not need the body."""

from __future__ import annotations

import http.client
import socket
import time

import pytest

from tests.processes import Server

BODY = b'{"vector": [1, 2, 3]}'


@pytest.mark.parametrize("is_chunked", [False, True], ids=["content-length", "chunked"])
@pytest.mark.parametrize("path", ["/v1/vectors/index/nobody/search", "/nowhere", "/v1/vectors/index/a/items"])
def test_a_connection_survives_an_answer_that_did_not_need_the_body(
    shared_server: Server, path: str, is_chunked: bool
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shared_server.port, timeout=30)
    connection.connect()
    connection.auto_open = 0  # a second connection would hide that the first was closed
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        for _ in range(10):
            connection.putrequest("POST", path)
            connection.putheader("Content-Type", "application/json")
            connection.putheader(
                *(("Transfer-Encoding", "chunked") if is_chunked else ("Content-Length", str(len(BODY))))
            )
            connection.endheaders()
            time.sleep(0.005)  # lets a server that does not wait for the body answer before it has come
            connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY) if is_chunked else BODY)
            response = connection.getresponse()
            response.read()
            assert response.status in (404, 405)
            connection.request("GET", "/health")
            health = connection.getresponse()
            health.read()
            assert health.status == 200
    finally:
        connection.close()
