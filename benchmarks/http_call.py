"""The least an HTTP client can do: on a machine with few cores, what the client takes the server lacks."""

from __future__ import annotations

import json
import socket
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
        head, body = b"", b""
        while not body and b"\r\n\r\n" not in head:
            piece = link.recv(65_536)
            if not piece:
                raise ConnectionResetError("The server closed the connection.")
            head += piece
        head, _, body = head.partition(b"\r\n\r\n")
        status, fields = int(head[9:12]), head.lower()
        start = fields.find(b"\r\ncontent-length:")
        if start < 0 and status != 204:
            raise HttpError(status, b"an answer without a Content-Length: " + head)
        length = 0 if status == 204 else int(fields[start + 17 :].split(b"\r\n", 1)[0])
        pieces, have = [body], len(body)
        while have < length:
            piece = link.recv(min(length - have, 1 << 20))
            if not piece:
                raise ConnectionResetError("The server closed the connection.")
            pieces.append(piece)
            have += len(piece)
        if b"\r\nconnection: close" in fields:
            self.close()
        answer = b"".join(pieces)
        if status >= 400:
            raise HttpError(status, answer)
        return answer
