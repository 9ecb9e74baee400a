"""Pages of lists: without a token everything, with one (an empty one for the first page) a page at a time."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from catalog.errors import BadCatalogRequest

DEFAULT_PAGE_SIZE: Final = 100
MAX_PAGE_SIZE: Final = 1000
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The part of a list that is asked for: what comes after a key, and how much of it; no limit for all."""

    after: str
    limit: int | None


def wanted_page(query: Mapping[str, Any]) -> Wanted:
    """Read `pageToken` and `pageSize`.

    Raises
    ------
    BadCatalogRequest
        One of them is none of ours.
    """
    token, size = query.get("pageToken"), query.get("pageSize")
    if size is not None and (not size.isdecimal() or len(size) > 9 or int(size) < 1):
        raise BadCatalogRequest("Invalid pageSize: it must be a number from 1 on.", pointer="/pageSize")
    if token is None:
        return Wanted("", None)
    limit = min(int(size or DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE)
    try:
        after = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise BadCatalogRequest("Invalid pageToken: send the one of the page before.", pointer="/pageToken") from None
    if "\x00" in after:
        raise BadCatalogRequest("Invalid pageToken: send the one of the page before.", pointer="/pageToken")
    return Wanted(after, limit)


def page(
    wanted: Wanted, *, find: Callable[[str, int | None], Sequence[Row]], key: Callable[[Row], str]
) -> tuple[list[Row], str | None]:
    """Return the rows of a page and the token of the next one, if there is one."""
    rows = list(find(wanted.after, None if wanted.limit is None else wanted.limit + 1))
    if wanted.limit is None or len(rows) <= wanted.limit:
        return rows, None
    rows = rows[: wanted.limit]
    return rows, base64.urlsafe_b64encode(key(rows[-1]).encode()).decode()
