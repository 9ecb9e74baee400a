"""A TCP proxy before Postgres that breaks a connection at a chosen message, before or after Postgres has seen it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE_BYTES = 65_536


class CuttingProxy:
    """Passes everything on, until it is armed by `cut`."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._marker: bytes | None = None
        self._messages = 0
        self._delivers = False
        self.cuts = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self, marker: bytes, *, after: int = 0, delivers: bool = False) -> None:
        """Break the connection of the next message that holds `marker`, or `after` messages later.

        With `delivers` the message still reaches Postgres, and it is the answer that is lost.
        """
        with self._lock:
            self._marker, self._messages, self._delivers, self.cuts = marker, after, delivers, 0

    def disarm(self) -> None:
        with self._lock:
            self._marker = None

    def close(self) -> None:
        """Break everything and listen no more."""
        # Closing alone would not wake the thread that accepts.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for one in sockets:
            _end(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sockets += [client, server]
            threading.Thread(target=self._pass_requests, args=(client, server), daemon=True).start()

    def _pass_requests(self, client: socket.socket, server: socket.socket) -> None:
        silenced = threading.Event()
        answers = threading.Thread(target=_pass_answers, args=(server, client, silenced), daemon=True)
        answers.start()
        with suppress(OSError):
            while data := client.recv(PIECE_BYTES):
                if not self._is_the_one(data):
                    server.sendall(data)
                    continue
                if self._delivers:
                    silenced.set()
                    server.sendall(data)
                    # Postgres ends the connection only when it has done what it was sent.
                    server.shutdown(socket.SHUT_WR)
                    answers.join()
                break
        _end(client)
        _end(server)
        answers.join()

    def _is_the_one(self, data: bytes) -> bool:
        with self._lock:
            if self._marker is None or self._marker not in data:
                return False
            if self._messages > 0:
                self._messages -= 1
                self._marker = b""  # from here on every message counts
                return False
            self._marker = None
            self.cuts += 1
            return True


def _pass_answers(server: socket.socket, client: socket.socket, silenced: threading.Event) -> None:
    with suppress(OSError):
        while data := server.recv(PIECE_BYTES):
            if not silenced.is_set():
                client.sendall(data)
    if not silenced.is_set():
        _end(client)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def cutting_proxy(target_port: int) -> Iterator[CuttingProxy]:
    """Run a proxy before a port of this machine."""
    proxy = CuttingProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
