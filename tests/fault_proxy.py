"""An HTTP proxy in front of an S3 endpoint that fails on demand, in threads of the test process.

It forwards requests as they are, the Host header too: signature version 4 covers it, and the endpoint checks the
signature against what the client sent. Faults are switched on and off while requests run.
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

UPSTREAM_TIMEOUT_SECONDS = 60.0
HOP_BY_HOP = frozenset({"connection", "expect", "keep-alive", "proxy-connection", "transfer-encoding"})
LINGER_ZERO = struct.pack("ii", 1, 0)  # closing sends RST and drops what was not sent
XML = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>{}</Message></Error>'


class Fault(Enum):
    """What the proxy does instead of forwarding. Faults of the answer's body leave answers without one alone."""

    INTERNAL_ERROR = "answer 500 InternalError"
    SLOW_DOWN = "answer 503 SlowDown"
    HANG = "read nothing and say nothing until the fault is cleared, then close"
    RESET = "reset the connection before anything is read"
    RESET_IN_UPLOAD = "reset the connection after half of the request's body"
    LOST_ANSWER = "forward the request, then reset the connection instead of answering"
    RESET_IN_BODY = "reset the connection after half of the answer's body"
    SHORT_BODY = "send half of the answer's body, less than Content-Length says, and close"
    TRUNCATED_BODY = "send half of the answer's body, with the Content-Length of that half"
    WRONG_BODY = "flip bits in the answer's body"

    @property
    def needs_answer(self) -> bool:
        return self in {Fault.RESET_IN_BODY, Fault.SHORT_BODY, Fault.TRUNCATED_BODY, Fault.WRONG_BODY}


@dataclass(slots=True)
class _Order:
    fault: Fault
    methods: frozenset[str] | None
    left: int | None


class FaultProxy:
    """The switch: `url` is where clients go; `requests` counts them by method, `faults` what was done to them."""

    def __init__(self, target_url: str) -> None:
        target = urlsplit(target_url)
        if target.scheme != "http" or target.hostname is None or target.port is None:
            raise ValueError(f"{target_url!r} is not http://host:port.")
        self.target = (target.hostname, target.port)
        self.requests: Counter[str] = Counter()
        self.faults: Counter[Fault] = Counter()
        self._lock = threading.Condition()
        self._order: _Order | None = None
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="fault-proxy")
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def inject(self, fault: Fault, *, methods: Collection[str] | None = None, times: int | None = None) -> None:
        """From now on do this to requests of these methods (None: all), at most `times` times (None: no end)."""
        with self._lock:
            self._order = _Order(fault, None if methods is None else frozenset(methods), times)
            self._lock.notify_all()

    def clear(self) -> None:
        """Pass everything on again; what hangs is closed."""
        with self._lock:
            self._order = None
            self._lock.notify_all()

    def wait_for_fault(self, fault: Fault, *, count: int = 1, timeout_seconds: float = 30.0) -> None:
        """Wait until this fault was done `count` times."""
        with self._lock:
            if not self._lock.wait_for(lambda: self.faults[fault] >= count, timeout_seconds):
                raise TimeoutError(f"{fault} was done {self.faults[fault]} times in {timeout_seconds:.0f} s.")

    def close(self) -> None:
        """Stop listening, end all connections and wait for the threads."""
        self.clear()
        self._server.shutdown()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()

    def count(self, method: str) -> None:
        with self._lock:
            self.requests[method] += 1

    def take(self, method: str, *, answered: bool) -> Fault | None:
        """Return what to do to a request, before (`answered` false) or after the endpoint's answer is there."""
        with self._lock:
            order = self._order
            if order is None or order.left == 0 or order.fault.needs_answer != answered:
                return None
            if order.methods is not None and method not in order.methods:
                return None
            if order.left is not None:
                order.left -= 1
            self.faults[order.fault] += 1
            self._lock.notify_all()
            return order.fault

    def hang(self) -> None:
        """Wait until the present order is replaced."""
        with self._lock:
            order = self._order
            self._lock.wait_for(lambda: self._order is not order)


@contextmanager
def run_fault_proxy(target_url: str) -> Iterator[FaultProxy]:
    proxy = FaultProxy(target_url)
    try:
        yield proxy
    finally:
        proxy.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], proxy: FaultProxy) -> None:
        super().__init__(address, _Handler)
        self.proxy = proxy
        self._open: set[socket.socket] = set()
        self._reset: set[socket.socket] = set()
        self._sockets_lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._sockets_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def mark_reset(self, request: socket.socket) -> None:
        request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        with self._sockets_lock:
            self._reset.add(request)

    def shutdown_request(self, request: Any) -> None:
        with self._sockets_lock:
            self._open.discard(request)
            reset = request in self._reset
            self._reset.discard(request)
        if reset:
            request.close()  # no shutdown before: it would send FIN, and a client may take that for the end of a body
        else:
            super().shutdown_request(request)

    def end_connections(self) -> None:
        with self._sockets_lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for an acknowledgement between header and body
    server: _Server

    def handle_expect_100(self) -> bool:
        return True  # answered when the body is wanted: a fault may come first

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: failing tests show what the proxy was asked to do."""

    def _serve(self) -> None:
        proxy = self.server.proxy
        proxy.count(self.command)
        fault = proxy.take(self.command, answered=False)
        if fault is Fault.HANG:
            proxy.hang()
            self.close_connection = True
        elif fault is Fault.RESET:
            self._reset()
        elif fault is Fault.RESET_IN_UPLOAD:
            self._read_body(half=True)
            self._reset()
        else:
            body = self._read_body()
            if fault is Fault.INTERNAL_ERROR:
                self._answer_error(500, "InternalError", "We encountered an internal error. Please try again.")
            elif fault is Fault.SLOW_DOWN:
                self._answer_error(503, "SlowDown", "Please reduce your request rate.")
            else:
                self._forward(body, lose_answer=fault is Fault.LOST_ANSWER)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def _read_body(self, *, half: bool = False) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if "Transfer-Encoding" in self.headers:
            raise NotImplementedError("The proxy takes bodies with a Content-Length only.")
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        wanted = length // 2 if half else length
        body = self.rfile.read(wanted)
        if len(body) < wanted:
            raise ConnectionError("The client went away in its body.")
        return body

    def _forward(self, body: bytes, *, lose_answer: bool) -> None:
        upstream = http.client.HTTPConnection(*self.server.proxy.target, timeout=UPSTREAM_TIMEOUT_SECONDS)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    upstream.putheader(name, value)
            upstream.endheaders(body or None)
            response = upstream.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._answer_error(502, "BadGateway", f"{type(error).__name__}")
            return
        finally:
            upstream.close()
        if lose_answer:
            self._reset()
        else:
            self._answer(response, answer)

    def _answer(self, response: http.client.HTTPResponse, body: bytes) -> None:
        fault = self.server.proxy.take(self.command, answered=True) if body else None
        length, sent = len(body), body
        if fault is Fault.WRONG_BODY:
            sent = _with_flipped_bits(body)
        elif fault is not None:
            sent = body[: len(body) // 2]
            length = len(sent) if fault is Fault.TRUNCATED_BODY else len(body)
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP and (not body or name.lower() != "content-length"):
                self.send_header(name, value)
        if body:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(sent)
        if fault is Fault.SHORT_BODY:
            self.close_connection = True
        elif fault is Fault.RESET_IN_BODY:
            self._reset()

    def _answer_error(self, status: int, code: str, message: str) -> None:
        body = XML.format(code, message).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.server.mark_reset(self.connection)
        self.close_connection = True


def _with_flipped_bits(body: bytes) -> bytes:
    """Return the body with one bit changed at its beginning, in its middle and at its end."""
    changed = bytearray(body)
    for position in {0, len(body) // 2, len(body) - 1}:
        changed[position] ^= 0x01
    return bytes(changed)
