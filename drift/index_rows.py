"""Rows of a vector index, drawn evenly over its ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vectors.indexes import index_state
from vectors.items import MAX_PAGE_ITEMS, fetch_items, list_items

_FETCH_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class IndexRows:
    """Shape ``(rows, dimension)``, float32, in the order of their ids; of an index with `count` items."""

    rows: NDArray[np.float32]
    count: int
    distance: str


def read_index_rows(*, name: str, most: int) -> IndexRows:
    """Return at most so many vectors of an index, every k-th by id.

    Two reads of the same index draw the same rows, so that nothing but change shows. Memory: the rows, and one page of
    ids.

    Raises
    ------
    IndexNotFound
        No index has this name.
    """
    state = index_state(name=name)
    step = max(1, -(-state.live_count // most))
    rows = np.empty((min(most, state.live_count), state.dimension), dtype=np.float32)
    filled, passed, cursor, wanted = 0, 0, None, list[str]()
    while True:
        page, cursor = list_items(state=state, cursor=cursor, limit=MAX_PAGE_ITEMS, include=())
        wanted += [item.key for item in page[-passed % step :: step]]
        passed += len(page)
        while len(wanted) >= _FETCH_ROWS or (cursor is None and wanted):
            found, _ = fetch_items(state=state, keys=wanted[:_FETCH_ROWS], include=("vector",))
            wanted = wanted[_FETCH_ROWS:]
            # Others may have added items since they were counted.
            vectors = [item.vector for item in found if item.vector is not None][: len(rows) - filled]
            if vectors:
                block = np.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), state.dimension)
                rows[filled : filled + len(vectors)] = block
                filled += len(vectors)
        if cursor is None:
            return IndexRows(rows[:filled], state.live_count, state.distance)
