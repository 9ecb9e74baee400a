"""Measurements of recall that were kept."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from lakehouse_site.errors import IndexNotFound
from vectors.models import IndexHead, RecallMeasurement
from vectors.rows import IndexState
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


def keep(state: IndexState, measured: Recall) -> None:
    """Add a measurement to the history of an index.

    Raises
    ------
    IndexNotFound
        The index was dropped meanwhile.
    """

    def work() -> None:
        # The head first, as in every write: a drop cannot come between.
        if not IndexHead.objects.select_for_update().filter(pk=state.id).exists():
            raise IndexNotFound(state.name)
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


def history(index_id: uuid.UUID, limit: int) -> list[Recall]:
    """Return the latest measurements of an index, the newest first."""
    return [_recall(one) for one in RecallMeasurement.objects.filter(index_id=index_id)[:limit]]


def latest(index_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Recall]:
    """Return the last measurement of each of these indexes, by one query; nothing for those that have none."""
    mine = RecallMeasurement.objects.filter(index_id__in=list(index_ids)).order_by()
    newest = mine.values("index_id").annotate(newest=Max("pk")).values("newest")
    return {one.index_id: _recall(one) for one in RecallMeasurement.objects.filter(pk__in=newest)}


def _recall(one: RecallMeasurement) -> Recall:
    return Recall(one.recall, one.num, one.k, one.ann_ms, one.exact_ms, one.measured_at)
