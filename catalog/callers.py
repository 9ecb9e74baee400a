"""On whose behalf something is done, for the audit, for grants and for requests that are sent twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request that carries an idempotency key, and how to write the answer that belongs to it.

    Attributes
    ----------
    key, request_sha256
        What was sent: the key, and the digest of method, path and body.
    answer
        Turns what the service returns into status and body; it is stored in the service's own transaction.
    """

    key: str
    request_sha256: str
    answer: Callable[[Any], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is behind a request or a command.

    Attributes
    ----------
    principal
        The name of an API token, of a person, or of one of our own commands.
    is_admin
        Grants do not bind it.
    """

    principal: str
    request_id: str = ""
    is_admin: bool = False
    keyed: KeyedRequest | None = None


SYSTEM = Caller("system", is_admin=True)
