"""Persistent HTTP connections: as many as there are calls at once, each used by one call at a time."""

from __future__ import annotations

import http.client
import os
import selectors
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

from lakehouse_client.errors import BadArgument, ConnectionLost, TimedOut, UnexpectedAnswer

SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Target:
    """Where the service is: what a base URL says."""

    is_https: bool
    host: str
    port: int | None
    prefix: str

    @classmethod
    def of(cls, base_url: str) -> Target:
        """Read ``http://host:port/prefix``.

        Raises
        ------
        BadArgument
            It is something else. The message does not repeat a password that stands in it.
        """
        expected = "Expected a base URL like http://127.0.0.1:8000 or https://example.org/lakehouse"
        try:
            url = urlsplit(base_url)
            port = url.port
        except (ValueError, AttributeError) as error:
            raise BadArgument(f"{expected}: {error}.") from None
        if url.username is not None or url.password is not None:
            raise BadArgument(f"{expected}, without a user or a password; pass the token as `token`.")
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
            raise BadArgument(f"{expected}, not {base_url!r}.")
        if not url.path.isascii() or not url.path.isprintable() or " " in url.path:
            raise BadArgument(f"{expected}; the path {url.path!r} must be percent-encoded.")
        return cls(url.scheme == "https", url.hostname, port, url.path.rstrip("/"))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"http{'s' if self.is_https else ''}://{host}{port}{self.prefix}"


@dataclass(frozen=True, slots=True)
class Call:
    """One call, which may take several tries.

    Attributes
    ----------
    path
        Below the base URL, with the query.
    resend
        Whether sending it twice does what sending it once does.
    """

    method: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]
    resend: bool
    timeout_seconds: float

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Message
    body: bytes


class NotConnected(ConnectionLost):
    """Nothing was sent, so any call may be tried again."""


class Connections:
    """A pool: threads may share it, and connections outlive the threads that opened them.

    Proxies that the environment names are not used.
    """

    def __init__(self, target: Target, ssl_context: ssl.SSLContext | None) -> None:
        self._target = target
        self._context = ssl_context or (ssl.create_default_context() if target.is_https else None)
        # Its append and pop are atomic, so no lock is needed, which a fork could copy in its locked state.
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._pid = os.getpid()
        self._is_closed = False

    def close(self) -> None:
        """Close what is idle now; what is in use is closed when its call ends."""
        self._is_closed = True
        self._close_idle()

    def send(self, call: Call) -> Answer:
        """Send a call once and return the whole answer.

        Raises
        ------
        ConnectionLost, TimedOut
            The answer did not come, or not all of it. `NotConnected`: the call was not sent.
        UnexpectedAnswer
            What came is not HTTP.
        """
        if self._is_closed:
            raise BadArgument("This client is closed. Make a new one.")
        while (connection := self._take()) is not None:
            try:
                return self._send_on(connection, call)
            except TimedOut:
                raise
            except ConnectionLost:
                # The server may have closed it at the very moment we sent. A new connection tells whether it is there.
                if not call.resend:
                    raise
        return self._send_on(self._connect(call), call)

    def _take(self) -> http.client.HTTPConnection | None:
        """Return an idle connection that the server has not closed, None when there is none."""
        if self._pid != os.getpid():
            # After a fork the sockets are the parent's too: two processes must not speak on one.
            self._close_idle()
            self._pid = os.getpid()
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if not _is_dropped(connection.sock):
                return connection
            connection.close()

    def _give_back(self, connection: http.client.HTTPConnection) -> None:
        self._idle.append(connection)
        if self._is_closed:
            self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread was faster
                return

    def _connect(self, call: Call) -> http.client.HTTPConnection:
        target = self._target
        connection: http.client.HTTPConnection
        if target.is_https:
            connection = http.client.HTTPSConnection(
                target.host, target.port, timeout=call.timeout_seconds, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(target.host, target.port, timeout=call.timeout_seconds)
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            connection.close()
            hint = "Is the server running there, and is the base URL right?"
            if isinstance(error, ssl.SSLError):
                hint = "Does the base URL speak https, and is its certificate trusted (see `ssl_context`)?"
            raise NotConnected(f"{call}: no connection to {target} ({_reason(error)}). {hint}") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _send_on(self, connection: http.client.HTTPConnection, call: Call) -> Answer:
        """Send on this connection, which goes back to the pool or is closed."""
        is_reusable = False
        try:
            answer, is_reusable = _exchange(connection, call, self._target.prefix)
        except TimeoutError as error:
            raise TimedOut(
                f"{call}: {self._target} was silent for {call.timeout_seconds:g} s, and may still be at work on it. "
                "Give it longer with `timeout_seconds`, or send less at once."
            ) from error
        except (OSError, http.client.IncompleteRead) as error:
            detail = f"{call}: the connection to {self._target} ended before the answer did ({_reason(error)})."
            doubt = "" if call.resend else " The server may have carried it out: look before you send it again."
            raise ConnectionLost(detail + doubt) from error
        except http.client.HTTPException as error:
            detail = f"{call}: what answers at {self._target} does not speak HTTP ({_reason(error)})."
            raise UnexpectedAnswer(f"{detail} Is the base URL right, http or https, and the port?") from error
        finally:
            if is_reusable:
                self._give_back(connection)
            else:
                connection.close()
        return answer


def _exchange(connection: http.client.HTTPConnection, call: Call, prefix: str) -> tuple[Answer, bool]:
    """Return the answer and whether the connection can be used again."""
    connection.sock.settimeout(call.timeout_seconds)
    is_whole = True
    try:
        connection.request(call.method, prefix + call.path, call.body, dict(call.headers))
    except (BrokenPipeError, ConnectionResetError):
        # A server may refuse a large body before it has read it; its answer may be there to be read.
        is_whole = False
    response = connection.getresponse()
    body = response.read()
    return Answer(response.status, response.headers, body), is_whole and connection.sock is not None


def _is_dropped(connection_socket: socket.socket | None) -> bool:
    """Return whether an idle connection has something to read: its end, or an answer nobody asked for."""
    if connection_socket is None:
        return True
    with selectors.DefaultSelector() as selector:
        selector.register(connection_socket, selectors.EVENT_READ)
        return bool(selector.select(0))


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())[:SHOWN_CHARACTERS]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
