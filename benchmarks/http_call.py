"""The least an HTTP client can do: on a machine with few cores, what the client takes the server lacks."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any


def message(method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    """Return a whole request, so that nothing of it is made while the clock runs."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class HttpError(Exception):
    """An answer of 400 or more, or one that this client does not understand."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body[:300]!r}")
        self.status = status


class Connection:
    """One kept-alive connection to a port of the loopback address."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, request: bytes) -> bytes:
        """Return the body of the answer to a `message`; a connection that the server has closed is made anew once."""
        for attempt in (1, 2):
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=300)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self._socket.sendall(request)
                return self._answer(self._socket)
            except ConnectionError:
                self.close()
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send JSON and return the parsed answer."""
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.ask(message(method, path, content))
        return json.loads(answer) if answer else None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _answer(self, link: socket.socket) -> bytes:
        stream = _Stream(link)
        head = stream.until(b"\r\n\r\n").lower()
        status = int(head[9:12])
        if b"\r\ntransfer-encoding: chunked" in head:
            body = b"".join(stream.chunks())
        else:
            start = head.find(b"\r\ncontent-length:")
            body = stream.take(int(head[start + 17 :].split(b"\r\n", 1)[0])) if start >= 0 else b""
        if b"\r\nconnection: close" in head:
            self.close()
        if status >= 400:
            raise HttpError(status, body)
        return body


class _Stream:
    """What has come of an answer and was not taken yet."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._have = b""

    def until(self, end: bytes) -> bytes:
        while (place := self._have.find(end)) < 0:
            self._more()
        found, self._have = self._have[:place], self._have[place + len(end) :]
        return found

    def take(self, count: int) -> bytes:
        pieces, missing = [self._have], count - len(self._have)
        while missing > 0:
            self._have = b""
            self._more()
            pieces.append(self._have)
            missing -= len(self._have)
        whole = b"".join(pieces)
        self._have = whole[count:]
        return whole[:count]

    def chunks(self) -> Iterator[bytes]:
        while size := int(self.until(b"\r\n").split(b";")[0], 16):
            yield self.take(size)
            self.take(2)
        self.until(b"\r\n")

    def _more(self) -> None:
        piece = self._link.recv(1 << 18)
        if not piece:
            raise ConnectionResetError("The server closed the connection.")
        self._have += piece
