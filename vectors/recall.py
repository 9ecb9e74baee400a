"""Recall measured, not assumed: what searches find, compared with exact search, on vectors that are stored."""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.utils import timezone

from vectors import rows
from vectors.distances import Float32Rows
from vectors.indexes import index_state
from vectors.models import RecallMeasurement
from vectors.queries import Query
from vectors.replicas import replicas
from vectors.rows import IndexState
from vectors.search import Hit, search_index
from vectors.transactions import run_write

KEPT = 1_000
"""Measurements of an index that stay; older ones go."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Share of the true k nearest neighbours found (0 to 1) over `num` stored vectors, and what a search took.

    `ann_ms` is a median; exact search is made for all at once, and `exact_ms` is the share of one. Where there is
    nothing to find, in an index with less than two items, `recall` is 1.
    """

    recall: float
    num: int
    k: int
    ann_ms: float
    exact_ms: float
    measured_at: datetime


def measure_recall(*, state: IndexState, num: int, k: int) -> Recall:
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
    measured = Recall(
        found / wanted if wanted else 1.0,
        len(keys),
        k,
        1000 * statistics.median(fast) if fast else 0.0,
        1000 * exact_seconds / len(keys) if keys else 0.0,
        timezone.now(),
    )
    _keep(state, measured)
    return measured


def recall_history(*, name: str, limit: int = 100) -> list[Recall]:
    """Return the latest measurements of an index, the newest first.

    Raises
    ------
    IndexNotFound
        No index has this name.
    """
    measured = RecallMeasurement.objects.filter(index_id=index_state(name=name).id)[:limit]
    return [_recall(one) for one in measured]


def _sample(state: IndexState, num: int) -> dict[str, bytes]:
    labels = replicas.current(state).labels()
    chosen = random.sample(labels, min(num, len(labels)))
    return {row.key: row.vector for row in rows.hits(state.id, chosen)}


def _search(state: IndexState, vectors: Float32Rows, k: int, *, exact: bool) -> list[list[Hit]]:
    # One more than k: the item itself is left out.
    return search_index(state=state, query=Query(vectors, is_batch=True, k=k + 1, exact=exact)).hits


def _keep(state: IndexState, measured: Recall) -> None:
    def work() -> None:
        RecallMeasurement.objects.create(
            index_id=state.id,
            measured_at=measured.measured_at,
            recall=measured.recall,
            num=measured.num,
            k=measured.k,
            ann_ms=measured.ann_ms,
            exact_ms=measured.exact_ms,
            ef_search=state.ef_search,
            count=state.live_count,
            seq=state.last_seq,
        )
        mine = RecallMeasurement.objects.filter(index_id=state.id)
        mine.filter(pk__in=list(mine.values_list("pk", flat=True)[KEPT:])).delete()

    run_write(work)


def _recall(one: RecallMeasurement) -> Recall:
    return Recall(one.recall, one.num, one.k, one.ann_ms, one.exact_ms, one.measured_at)
