"""Names of namespaces, tables and views: what may be one, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from catalog.errors import BadCatalogRequest

SEPARATOR = "\x1f"
MAX_NAME_CHARACTERS = 255
MAX_LEVELS = 32
# An index of Postgres takes some 2,700 bytes.
MAX_PATH_BYTES = 2000
# Addresses of the protocol hold names with their slashes encoded, and most servers hand them on decoded. With these
# words left out of names that have slashes, a decoded address still has only one reading.
RESERVED_PARTS = frozenset(
    ("tables", "views", "properties", "register", "register-view", "unregister", "metrics", "credentials")
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NOT_FOR_FOLDERS = re.compile(r"[^a-z0-9]+")
_SLUG_CHARACTERS = 40


def check_name(name: object, *, what: str) -> str:
    """Return a name as it is if it may be one.

    Parameters
    ----------
    name
        What was sent.
    what
        How the message calls it: ``Table name``.

    Raises
    ------
    BadCatalogRequest
        It is no text, empty or over 255 characters, has control characters, or no address could hold it.
    """
    if not isinstance(name, str) or not name:
        raise BadCatalogRequest(f"Invalid {what}: it must be a text that is not empty.")
    if len(name) > MAX_NAME_CHARACTERS:
        raise BadCatalogRequest(f"Invalid {what}: it has {len(name)} characters; {MAX_NAME_CHARACTERS} are the most.")
    if _CONTROL.search(name):
        raise BadCatalogRequest(f"Invalid {what}: {name!r} has control characters.")
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise BadCatalogRequest(
            f"Invalid {what}: no address can hold {name!r}. What stands between slashes must not be empty, '.' or '..'."
        )
    if len(parts) > 1 and not RESERVED_PARTS.isdisjoint(parts):
        words = ", ".join(sorted(RESERVED_PARTS.intersection(parts)))
        raise BadCatalogRequest(f"Invalid {what}: in {name!r}, which has slashes, {words} has a meaning in addresses.")
    return name


def check_levels(levels: object) -> tuple[str, ...]:
    """Return the levels of a namespace if they may be ones.

    Raises
    ------
    BadCatalogRequest
        It is no list of names, has none or more than 32, or is too long as a whole.
    """
    if isinstance(levels, str) or not isinstance(levels, Sequence) or not levels:
        raise BadCatalogRequest("Invalid namespace: it must be a list of names, and not be empty.")
    if len(levels) > MAX_LEVELS:
        raise BadCatalogRequest(f"Invalid namespace: it has {len(levels)} levels; {MAX_LEVELS} are the most.")
    found = tuple(check_name(level, what="namespace") for level in levels)
    if len(path_of(found).encode()) > MAX_PATH_BYTES:
        raise BadCatalogRequest(f"Invalid namespace: its names have over {MAX_PATH_BYTES} bytes together.")
    return found


def path_of(levels: Sequence[str]) -> str:
    """Return the levels joined as in addresses of the protocol; ``""`` for none."""
    return SEPARATOR.join(levels)


def levels_of(path: str) -> tuple[str, ...]:
    """Return the levels of a joined path; none of ``""``."""
    return tuple(path.split(SEPARATOR)) if path else ()


def dotted(levels: Sequence[str], name: str | None = None) -> str:
    """Return how messages write a namespace, or a table or view in it."""
    return ".".join([*levels, name] if name is not None else levels)


def slug(text: str) -> str:
    """Return the part of a folder's name that tells people what it holds: at most 40 of ``a-z 0-9 -``."""
    found = _NOT_FOR_FOLDERS.sub("-", text.lower()).strip("-")[:_SLUG_CHARACTERS].strip("-")
    return found or "x"
