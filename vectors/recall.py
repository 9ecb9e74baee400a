"""Recall measured, not assumed: what searches find, compared with exact search, on vectors that are stored."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

import numpy as np
from django.utils import timezone

from vectors import recall_records, rows
from vectors.distances import Float32Rows
from vectors.indexes import index_state, present_state
from vectors.queries import Query
from vectors.recall_records import Recall
from vectors.replicas import replicas
from vectors.rows import IndexState
from vectors.search import Hit, search_index


def measure_recall(
    *, state: IndexState, num: int, k: int, progress: Callable[[int], None] = lambda queries: None
) -> Recall:
    """Search for stored vectors, each without itself, compare with exact search, and keep what was found.

    Raises
    ------
    IndexNotFound
        The index was dropped meanwhile.
    """
    vectors = _sample(state, num)
    keys = list(vectors)
    matrix = np.frombuffer(b"".join(vectors.values()), "<f4").reshape(len(keys), state.dimension)
    fast: list[float] = []
    found = wanted = 0
    started = time.perf_counter()
    exact = _search(state, matrix, k, exact=True) if keys else []
    exact_seconds = time.perf_counter() - started
    for i, key in enumerate(keys):
        started = time.perf_counter()
        (near,) = _search(state, matrix[i : i + 1], k, exact=False)
        fast.append(time.perf_counter() - started)
        true = [hit for hit in exact[i] if hit.key != key][:k]
        # An item as far away as the last true one is as good as that.
        limit = true[-1].distance if true else 0.0
        found += min(len(true), sum(hit.distance <= limit for hit in near if hit.key != key))
        wanted += len(true)
        progress(1)
    measured = Recall(
        recall=found / wanted if wanted else 1.0,
        num=len(keys),
        k=k,
        ann_ms=1000 * statistics.median(fast) if fast else 0.0,
        exact_ms=1000 * exact_seconds / len(keys) if keys else 0.0,
        measured_at=timezone.now(),
    )
    recall_records.keep(present_state(state), measured)
    return measured


def recall_history(*, name: str, limit: int = 100) -> list[Recall]:
    """Return the latest measurements of an index, the newest first.

    Raises
    ------
    IndexNotFound
        No index has this name.
    """
    return recall_records.history(index_state(name=name).id, limit)


def _sample(state: IndexState, num: int) -> dict[str, bytes]:
    labels = replicas.current(state).labels()
    chosen = random.sample(labels, min(num, len(labels)))
    return {row.key: row.vector for row in rows.hits(state.id, chosen)}


def _search(state: IndexState, vectors: Float32Rows, k: int, *, exact: bool) -> list[list[Hit]]:
    # One more than k: the item itself is left out.
    return search_index(state=state, query=Query(vectors, is_batch=True, k=k + 1, exact=exact)).hits
