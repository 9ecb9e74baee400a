"""Calls: sent, sent again when that is safe and promises something, and their answers read."""

from __future__ import annotations

import email.utils
import json
import random
import re
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from time import sleep
from typing import Any

from lakehouse_client.connections import Answer, Call, Connections, NotConnected, Target
from lakehouse_client.errors import (
    BadArgument,
    ConnectionLost,
    Fault,
    LakehouseClientError,
    ProblemError,
    TimedOut,
    UnexpectedAnswer,
    problem_class,
)

USER_AGENT = "lakehouse-client/0.1"
SHOWN_BYTES = 200

_TOKEN = re.compile(r"[!-~]+")
# Refused before anything was done. A 503 leaves that open when the database went away during a commit, or between two
# chunks of a merge, and so does a proxy's 502.
_RETRIED = frozenset({429})
_RETRIED_IF_SAFE = _RETRIED | {502, 503}


@dataclass(frozen=True, slots=True)
class Backoff:
    """When to try again.

    Attributes
    ----------
    retries
        How often a call is sent again at most.
    first_seconds, most_seconds
        Before the first retry, and at most; it doubles in between. Up to a half of it is taken off at random, so that
        clients that failed together do not come back together.
    most_retry_after_seconds
        A server that asks for a longer wait is not waited for.
    """

    retries: int
    first_seconds: float
    most_seconds: float
    most_retry_after_seconds: float

    def seconds(self, tries: int, retry_after_seconds: float | None) -> float | None:
        """Return how long to wait after this many tries; None to give up."""
        if tries > self.retries:
            return None
        if retry_after_seconds is None:
            # The exponent is limited, for 2.0**1024 is an OverflowError.
            longest = min(self.most_seconds, self.first_seconds * 2.0 ** min(tries - 1, 60))
            return longest * random.uniform(0.5, 1)  # noqa: S311 (no secret)
        if retry_after_seconds > self.most_retry_after_seconds:
            return None
        return retry_after_seconds + self.first_seconds * random.random()  # noqa: S311 (no secret)


class Transport:
    """Sends calls to one service. Threads may share it."""

    def __init__(
        self,
        base_url: str,
        token: str | None,
        *,
        timeout_seconds: float,
        backoff: Backoff,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        if token is not None and not _TOKEN.fullmatch(token):
            raise BadArgument("The token has characters that no token has: perhaps a blank or a line end around it.")
        self.target = Target.of(base_url)
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._backoff = backoff
        self._connections = Connections(self.target, ssl_context)

    @property
    def has_token(self) -> bool:
        return self._token is not None

    def close(self) -> None:
        self._connections.close()

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        resend: bool = True,
        timeout_seconds: float | None = None,
    ) -> Any:
        """Return the parsed answer, None for an empty one.

        Parameters
        ----------
        path
            Below the base URL, quoted, with the query.
        resend
            Whether a call whose answer was lost may be sent again: sent twice, it must do what it does sent once.
        timeout_seconds
            Instead of the client's own.
        """
        call = self._new_call(method, path, body, resend, timeout_seconds)
        tries, maybe_done = 0, False
        while True:
            tries += 1
            try:
                return self._once(call)
            except LakehouseClientError as error:
                maybe_done = maybe_done or _leaves_doubt(error)
                error.tries, error.maybe_done = tries, maybe_done
                wait = self._wait_seconds(call, error)
                if wait is None:
                    raise
            sleep(wait)

    def once(self, method: str, path: str) -> Any:
        """Return the parsed answer to a call without a body that is sent once."""
        return self._once(self._new_call(method, path, None, False, None))

    def _new_call(
        self, method: str, path: str, body: bytes | None, resend: bool, timeout_seconds: float | None
    ) -> Call:
        # The same id for all tries: one search in the server's log finds them.
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT, "X-Request-ID": secrets.token_hex(8)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        return Call(method, path, body, headers, resend, seconds)

    def _wait_seconds(self, call: Call, error: LakehouseClientError) -> float | None:
        """Return how long to wait before the call is sent again, None if it must not be."""
        retry_after = None
        if isinstance(error, ProblemError):
            if error.status not in (_RETRIED_IF_SAFE if call.resend else _RETRIED):
                return None
            retry_after = error.retry_after_seconds
        elif isinstance(error, NotConnected):
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                return None
        elif not isinstance(error, ConnectionLost) or isinstance(error, TimedOut) or not call.resend:
            return None
        return self._backoff.seconds(error.tries, retry_after)

    def _once(self, call: Call) -> Any:
        answer = self._connections.send(call)
        if answer.status >= 400:
            raise self._problem(call, answer)
        if 300 <= answer.status < 400:
            place = self._printable(str(answer.headers.get("Location", "")).encode())
            raise UnexpectedAnswer(f"{call}: {answer.status}, redirected to {place}. Redirects are not followed.")
        if not answer.body and answer.status == HTTPStatus.NO_CONTENT:
            return None
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise UnexpectedAnswer(
                f"{call}: {self.target} answered {answer.status} with something that is not JSON: "
                f"{self._printable(answer.body)}. Does the base URL lead to a Lakehouse?"
            ) from None

    def _problem(self, call: Call, answer: Answer) -> ProblemError:
        try:
            # What stands before the server may echo our headers; the token must not come out in an error.
            body = json.loads(answer.body.replace(self._token.encode(), b"[token]") if self._token else answer.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, Mapping) or "code" not in body:
            # A proxy, or a server of another kind.
            body = {"detail": f"{self.target} answered {self._printable(answer.body)}"}
        faults = body.get("errors")
        return problem_class(answer.status)(
            answer.status,
            str(body.get("code", f"http_{answer.status}")),
            str(body.get("title", answer.status)),
            str(body.get("detail", "")),
            str(body.get("request_id") or answer.headers.get("X-Request-ID", "")),
            tuple(map(_fault, faults)) if isinstance(faults, list) else (),
            retry_after_seconds(answer.headers.get("Retry-After")),
            str(call),
        )

    def _printable(self, text: bytes) -> str:
        if self._token:
            text = text.replace(self._token.encode(), b"[token]")
        return ascii(text[:SHOWN_BYTES].decode("utf-8", "replace"))


def _leaves_doubt(error: LakehouseClientError) -> bool:
    """Return whether a call that ended like this may have been carried out."""
    if isinstance(error, ProblemError):
        return error.status >= 500
    return isinstance(error, (ConnectionLost, UnexpectedAnswer)) and not isinstance(error, NotConnected)


def _fault(value: object) -> Fault:
    fault = value if isinstance(value, Mapping) else {}
    return Fault(*(str(fault.get(name, "")) for name in ("pointer", "code", "detail")))


def retry_after_seconds(header: str | None) -> float | None:
    """Read ``Retry-After``: seconds or a date (RFC 9110, section 10.2.3)."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    # "-0000" makes a time without a zone, which is meant to be UTC.
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
