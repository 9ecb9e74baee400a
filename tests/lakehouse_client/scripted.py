"""A small HTTP server that answers as a test tells it to, faults included."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

JOIN_SECONDS = 30


@dataclass(frozen=True)
class Reply:
    """What the server does with one call.

    Attributes
    ----------
    fault
        ``lost``: it ends the connection without a word; ``half``: after half of the body; ``stale``: after the answer,
        which does not say so; ``raw``: the body is all it sends; ``silent``: it says nothing until the end of the test;
        ``early``: it answers without reading the body, and closes.
    """

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Literal["", "lost", "half", "stale", "raw", "silent", "early"] = ""

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    def json(self) -> Any:
        return json.loads(self.body)


def problem(status: int, code: str, errors: list[dict[str, str]] | None = None, **headers: str) -> Reply:
    body: dict[str, Any] = {"status": status, "code": code, "title": "T", "detail": "D", "request_id": "r1"}
    if errors:
        body |= {"errors": errors, "detail": f"{errors[0]['pointer']}: {errors[0]['detail']}"}
    return Reply(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


class Scripted:
    """Answers with the replies of a script, in order; then with `otherwise`."""

    def __init__(self) -> None:
        self.script: deque[Reply] = deque()
        self.otherwise: Callable[[Received], Reply] = lambda received: Reply()
        self.received: list[Received] = []
        self.open_sockets: set[socket.socket] = set()
        self.finished = threading.Event()
        self.port = 0
        self._connections = 0
        self.lock = threading.Lock()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections calls have come on."""
        return len({one.connection for one in self.received})

    def next_connection(self) -> int:
        with self.lock:
            self._connections += 1
            return self._connections

    def answer_to(self, received: Received) -> Reply:
        with self.lock:
            self.received.append(received)
            if self.script:
                return self.script.popleft()
        return self.otherwise(received)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    scripted: Scripted

    def setup(self) -> None:
        super().setup()
        self.number = self.scripted.next_connection()
        self.scripted.open_sockets.add(self.connection)

    def finish(self) -> None:
        self.scripted.open_sockets.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        script = self.scripted.script
        is_early = bool(script) and script[0].fault == "early"
        body = b"" if is_early else self.rfile.read(int(self.headers.get("Content-Length", "0")))
        received = Received(self.command, self.path, dict(self.headers), body, self.number)
        reply = self.scripted.answer_to(received)
        self.close_connection = bool(reply.fault)
        if reply.fault == "silent":
            self.scripted.finished.wait(JOIN_SECONDS)
        if reply.fault in ("lost", "silent"):
            return
        if reply.fault == "raw":
            self.wfile.write(reply.encoded())
            return
        content = b"" if reply.status == 204 else reply.encoded()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if reply.fault == "half" else content)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve


class _Server(ThreadingHTTPServer):
    # Ended below by closing their connections, then joined: nothing of a test lives on.
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is what these tests are about."""


@contextmanager
def serve(scripted: Scripted, context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    handler = type("Handler", (_Handler,), {"scripted": scripted})
    server = _Server(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scripted.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield scripted
    finally:
        scripted.finished.set()
        server.shutdown()
        thread.join(JOIN_SECONDS)
        for one in list(scripted.open_sockets):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed by the client already
        server.server_close()
