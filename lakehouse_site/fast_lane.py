"""The short way of the calls that come most: past Django's handlers and DRF, which cost as much as a search itself.

It only ever answers with success, and with what the long way would answer. Whatever is not plain (a browser, a cookie,
a limit on calls, a missing token, a fault, an error, something that may take its time) goes the long way from its
beginning, which alone decides and explains. So nothing can be had here that could not be had there.
"""

from __future__ import annotations

import io
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import connection
from django.http import HttpRequest

from lakehouse_site import logs
from lakehouse_site.access import gate, selectors
from lakehouse_site.access.tokens import READ, bearer_token
from lakehouse_site.errors import LakehouseError
from lakehouse_site.in_flight import counted
from lakehouse_site.outages import outage_of

logger = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]
Handler = Callable[[str, bytes], bytes | None]
"""Takes the name in the path and the body of a call that needs the scope ``read``; returns JSON, or None."""

MAX_BODY_BYTES = 64 * 1024
_PLAIN_ACCEPT = frozenset({"", "*/*", "application/json"})
_UNUSUAL = ("HTTP_COOKIE", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING", "HTTP_EXPECT", "HTTP_RANGE")

_handlers: list[tuple[re.Pattern[str], Handler]] = []
# Threads that wait for the interpreter lock in turn spend more on waking each other than on searches: with eight
# connections on two cores, one at a time answers 1.6 times as many. Not on Postgres, where a search mostly waits for
# the server. What may be long does not come this way; if one takes long all the same, the others do not wait for it.
_one_at_a_time = threading.Lock()
PATIENCE_SECONDS = 0.05

NOTE_SECONDS = 60.0
_noted: dict[str, float] = {}
_noting = threading.Lock()


def open_lane(path: str, handler: Handler) -> None:
    """Let POSTs to the paths that match wholly, and whose first group is an index name, be answered by `handler`."""
    _handlers.append((re.compile(path), handler))


class FastLane:
    """The WSGI application in front of Django's."""

    def __init__(self, long_way: Application) -> None:
        self._long_way = long_way

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"].endswith(("/search", "/search/")):
            content = _answer(environ)
            if content is not None:
                start_response("200 OK", _headers(content))
                return [content]
        return self._long_way(environ, start_response)


def _answer(environ: Environ) -> bytes | None:
    found = _handler(environ["PATH_INFO"])
    if found is None or not _is_plain(environ):
        return None
    name, handler = found
    length = int(environ["CONTENT_LENGTH"])
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)  # for the long way
    if len(body) < length:
        return None
    with counted(), nullcontext() if b'"filter"' in body or connection.vendor != "sqlite" else _turn():
        logs.begin_request(environ)
        try:
            return handler(name, body) if _may_pass(environ, name) else None
        except (LakehouseError, SuspiciousOperation):  # the long way tells the caller, whose fault it is
            return None
        except Exception as error:  # noqa: BLE001  it will happen again on the long way, which knows what to say
            if outage_of(error) is None:  # of which the long way writes one line
                _note(error)
            return None


def _note(error: Exception) -> None:
    """Say that the short way failed, lest it fail for ever unseen: one line for each class of error and minute."""
    name, now = type(error).__name__, time.monotonic()
    with _noting:
        if now - _noted.get(name, -NOTE_SECONDS) < NOTE_SECONDS:
            return
        _noted[name] = now
    logger.warning("short way failed", exc_info=True, extra={"error": name})


@contextmanager
def _turn() -> Iterator[None]:
    is_ours = _one_at_a_time.acquire(timeout=PATIENCE_SECONDS)
    try:
        yield
    finally:
        if is_ours:
            _one_at_a_time.release()


def _handler(path: str) -> tuple[str, Handler] | None:
    for pattern, handler in _handlers:
        match = pattern.fullmatch(path)
        if match is not None:
            return match[1], handler
    return None


def _is_plain(environ: Environ) -> bool:
    return (
        environ.get("CONTENT_TYPE") == "application/json"
        and environ.get("HTTP_ACCEPT", "") in _PLAIN_ACCEPT
        and not environ.get("QUERY_STRING")
        and not any(name in environ for name in _UNUSUAL)
        and environ.get("CONTENT_LENGTH", "").isdecimal()
        and 0 < int(environ["CONTENT_LENGTH"]) <= MAX_BODY_BYTES
        and READ not in settings.LAKEHOUSE_THROTTLE_RATES
    )


def _may_pass(environ: Environ, name: str) -> bool:
    """Return whether every gate of the long way would let this call pass; raises where one of them does."""
    if gate.judge(environ).refusal is not None:
        return False
    _require_known_host(
        environ["HTTP_HOST"], environ["SERVER_NAME"], environ["SERVER_PORT"], tuple(settings.ALLOWED_HOSTS)
    )
    if not selectors.token_layer_is_on():
        return True
    token = bearer_token(environ.get("HTTP_AUTHORIZATION", ""))
    caller = selectors.find_caller(token)[0] if token else None
    if caller is None or not caller.may(READ) or not caller.sees(name):
        return False
    if caller.token_id is not None:
        selectors.note_use(caller.token_id)
    return True


@lru_cache(maxsize=64)
def _require_known_host(host: str, server: str, port: str, allowed: tuple[str, ...]) -> None:
    """Raise DisallowedHost for a host that Django would refuse; `allowed` is here for the cache."""
    request = HttpRequest()
    request.META = {"HTTP_HOST": host, "SERVER_NAME": server, "SERVER_PORT": port}
    request.get_host()


def _headers(content: bytes) -> list[tuple[str, str]]:
    """Return the headers that the long way would send."""
    return [
        ("Content-Type", "application/json"),
        ("Allow", "POST, OPTIONS"),
        ("Vary", "Accept"),
        ("Content-Length", str(len(content))),
        ("X-Request-ID", logs.request_id.get()),
        ("X-Content-Type-Options", "nosniff"),
    ]
