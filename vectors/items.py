"""Reading stored items: by id, and page by page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Sequence

from lakehouse_site.errors import InvalidInput
from vectors import rows
from vectors.filters import Filter, matches, parse_metadata
from vectors.replicas import replicas
from vectors.rows import HitRow, IndexState, LiveRow

DEFAULT_PAGE_ITEMS = 100
MAX_PAGE_ITEMS = 10_000
WRONG_CURSOR = "Use the value of next from the page before, unchanged."


def fetch_items(*, state: IndexState, keys: Sequence[str], include: Collection[str]) -> tuple[list[LiveRow], list[str]]:
    """Return the items with these distinct ids, in their order, and the ids that are not there."""
    found = rows.live_by_key(state.id, keys, with_vector="vector" in include)
    return [found[key] for key in keys if key in found], [key for key in keys if key not in found]


def count_items(*, state: IndexState, wanted: Filter | None) -> int:
    """Return the number of items, or of those that pass a filter."""
    return state.live_count if wanted is None else len(replicas.matching(state, wanted).labels)


def list_items(
    *, state: IndexState, cursor: str | None, limit: int, include: Collection[str]
) -> tuple[list[LiveRow], str | None]:
    """Return one page of items in the order of their ids, and the cursor of the next one.

    Whoever follows the cursors gets every item that was there all the time exactly once, whatever others write.

    Raises
    ------
    InvalidInput
        The cursor is none of ours.
    """
    after = _decode(cursor) if cursor else ""
    page = rows.live_after(state.id, after, limit + 1, with_vector="vector" in include)
    if len(page) <= limit:
        return page, None
    return page[:limit], _encode(page[limit - 1].key)


def list_matching(
    *, state: IndexState, wanted: Filter, cursor: str | None, limit: int
) -> tuple[list[HitRow], str | None]:
    """Return one page of the items that pass a filter, those whose vectors are oldest first, and the next cursor.

    An item whose vector changes between two pages moves to the end, and so may be seen twice.

    Raises
    ------
    InvalidInput
        The cursor is none of ours.
    """
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidInput.at("?cursor", "cursor", WRONG_CURSOR)
    labels = replicas.matching(state, wanted).labels
    start = int(labels.searchsorted(int(cursor or 0), side="right"))
    chosen = labels[start : start + limit].tolist()
    found = {row.label: row for row in rows.hits(state.id, chosen)}
    # Read after the filter was asked, so what has changed since is asked once more.
    page = [found[label] for label in chosen if label in found]
    page = [row for row in page if matches(wanted, parse_metadata(row.metadata))]
    return page, str(chosen[-1]) if start + limit < len(labels) else None


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        key = "\0"
    if "\0" in key:
        raise InvalidInput.at("?cursor", "cursor", WRONG_CURSOR)
    return key
