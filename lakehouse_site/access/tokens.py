"""Bearer tokens: what is sent, what is stored, and who a token speaks for (pure: no Django)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

READ: Final = "read"
WRITE: Final = "write"
ADMIN: Final = "admin"
SCOPES: Final = (READ, WRITE, ADMIN)  # each includes those before it

_BEARER: Final = "Bearer "
_TOKEN_MARK: Final = "lh_"  # noqa: S105  lets secret scanners and people recognise one
SHOWN_CHARACTERS: Final = 10


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a valid token speaks for.

    Attributes
    ----------
    name
        Name of the token, for logs.
    scope
        The highest of `SCOPES` it may use.
    index_pattern
        Shell-style pattern its index names must match; ``""`` for all.
    token_id
        Row of the token; ``None`` for the one of the environment.
    """

    name: str
    scope: str
    index_pattern: str = ""
    token_id: int | None = None

    def may(self, scope: str) -> bool:
        """Return whether this caller has ``scope``; an unknown scope nobody has."""
        return scope in SCOPES and self.scope in SCOPES and SCOPES.index(scope) <= SCOPES.index(self.scope)

    def sees(self, index_name: str) -> bool:
        """Return whether this caller may know the index ``index_name``."""
        return not self.index_pattern or fnmatchcase(index_name, self.index_pattern)


def new_token() -> str:
    """Return a new token with 256 random bits."""
    return _TOKEN_MARK + secrets.token_urlsafe(32)


def hash_token(token: bytes) -> str:
    """Return what is stored of a token: its SHA-256 in hexadecimal.

    Notes
    -----
    No salt and no slow hash: a token is 256 random bits, so there is nothing to guess.
    """
    return hashlib.sha256(token).hexdigest()


def bearer_token(header: str) -> bytes | None:
    """Return the token of an ``Authorization`` header as bytes.

    Parameters
    ----------
    header
        As WSGI passes it: each character is one byte.

    Returns
    -------
    bytes or None
        ``None`` unless the header begins with exactly ``Bearer ``. ``b""`` for a token that cannot match.
    """
    if not header.startswith(_BEARER):
        return None
    try:
        return header[len(_BEARER) :].encode("latin-1")
    except UnicodeEncodeError:
        return b""


def same_token(sent: bytes, expected: str) -> bool:
    """Return whether two tokens are the same, in constant time; an empty one never is."""
    return bool(sent) and bool(expected) and hmac.compare_digest(sent, expected.encode())
