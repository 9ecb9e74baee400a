"""Plain functions with defaults that make what tests need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vectors import indexes, queries, search, validation, writes
from vectors.distances import Distance
from vectors.rows import IndexState
from vectors.search import Answer
from vectors.writes import AddResult

SEED = 20_261_122


def random_rows(count: int, dimension: int, seed: int = SEED) -> NDArray[np.float32]:
    """Return normal rows, shape (count, dimension)."""
    return np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)


def make_index(name: str = "docs", dimension: int = 3, distance: Distance = "cosine", **params: int) -> IndexState:
    indexes.create_index(new=validation.NewIndex(name, dimension, distance, **params))
    return indexes.index_state(name=name)


def add(name: str, items: Sequence[Mapping[str, Any]]) -> AddResult:
    """Add items as a body would bring them."""
    state = indexes.index_state(name=name)
    batch = validation.parse_add({"items": list(items)}, state.dimension, state.distance, max_items=100_000)
    return writes.add_items(state=state, batch=batch)


def add_rows(name: str, rows: NDArray[np.float32], prefix: str = "i", start: int = 0) -> list[str]:
    """Add rows under the ids i000000, i000001, … and return these."""
    keys = [f"{prefix}{number:06d}" for number in range(start, start + len(rows))]
    add(name, [{"id": key, "vector": row.tolist()} for key, row in zip(keys, rows, strict=True)])
    return keys


def delete(name: str, *keys: str) -> writes.DeleteResult:
    return writes.delete_items(state=indexes.index_state(name=name), keys=keys)


def find(name: str, vector: Any, k: int = 10, **options: Any) -> Answer:
    """Search for one vector."""
    state = indexes.index_state(name=name)
    body = {"vector": np.asarray(vector).tolist(), "k": k, **options}
    return search.search_index(state=state, query=queries.parse_search(body, state.dimension, state.distance))


def found_keys(name: str, vector: Any, k: int = 10, **options: Any) -> list[str]:
    return [hit.key for hit in find(name, vector, k, **options).hits[0]]
