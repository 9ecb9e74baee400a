"""Indexes as such: create, look up, list, drop."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import Error, IntegrityError
from django.db.models import QuerySet
from django.utils import timezone

from lakehouse_site.errors import IndexExists, IndexNotFound, Unavailable
from vectors import recall_records, rows, snapshot_records
from vectors.models import IndexHead, VectorIndex
from vectors.recall_records import Recall
from vectors.replicas import replicas
from vectors.rows import IndexState
from vectors.snapshot_records import SnapshotInfo
from vectors.snapshots import collect_files
from vectors.transactions import run_write
from vectors.validation import NAME, NewIndex

logger = logging.getLogger(__name__)

MIN_RECALL = 0.95
"""Below it an index warns."""


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """An index as callers see it."""

    name: str
    dimension: int
    distance: str
    m: int
    ef_construction: int
    ef_search: int
    count: int
    seq: int
    created_at: datetime
    updated_at: datetime
    snapshot: SnapshotInfo | None = None
    recall: Recall | None = None
    warnings: list[str] = field(default_factory=list)


def create_index(*, new: NewIndex) -> IndexInfo:
    """Create an empty index.

    Raises
    ------
    IndexExists
        The name is taken.
    """
    now = timezone.now()

    def work() -> VectorIndex:
        index = VectorIndex.objects.create(
            name=new.name,
            dimension=new.dimension,
            distance=new.distance,
            m=new.m,
            ef_construction=new.ef_construction,
            ef_search=new.ef_search,
            created_at=now,
        )
        IndexHead.objects.create(index=index, updated_at=now)
        return index

    try:
        index = run_write(work)
    except IntegrityError as error:
        raise IndexExists(new.name) from error
    logger.info("index created", extra={"index": index.name, "dimension": index.dimension})
    return describe_all([index])[0]


def drop_index(*, name: str) -> None:
    """Delete an index with its rows and files. The name is free at once; a file that cannot be deleted now goes later.

    Raises
    ------
    IndexNotFound
        No index has this name.
    """
    state = index_state(name=name)

    def work() -> None:
        # The head first: writes in flight hold it, and later ones then find nothing.
        if not IndexHead.objects.filter(pk=state.id).delete()[0]:
            raise IndexNotFound(name)
        rows.drop_items(state.id)
        snapshot_records.retire_all(state.id)
        VectorIndex.objects.filter(pk=state.id).delete()

    run_write(work)
    replicas.forget_name(name)
    replicas.forget(state.id)
    try:
        collect_files(index_id=state.id)
    except (Error, Unavailable):
        logger.warning("files of a dropped index are left to maintenance", exc_info=True)
    logger.info("index dropped", extra={"index": name, "items": state.live_count})


def index_state(*, name: str) -> IndexState:
    """Return the present state of an index.

    Raises
    ------
    IndexNotFound
        No index has this name.
    """
    # What cannot be a name need not reach the database; Postgres would choke on a NUL.
    state = rows.read_state(name) if NAME.fullmatch(name) else None
    if state is None:
        replicas.forget_name(name)
        raise IndexNotFound(name)
    return state


def present_state(state: IndexState) -> IndexState:
    """Return the present state of the same index.

    Raises
    ------
    IndexNotFound
        It was dropped, perhaps to make room for another one of its name.
    """
    now = index_state(name=state.name)
    if now.id != state.id:
        raise IndexNotFound(state.name)
    return now


def index_info(*, name: str) -> IndexInfo:
    """Return what is told of an index.

    Raises
    ------
    IndexNotFound
        No index has this name.
    """
    state = index_state(name=name)
    index = list_indexes().filter(pk=state.id).first()
    if index is None:
        raise IndexNotFound(name)
    return describe_all([index])[0]


def list_indexes() -> QuerySet[VectorIndex]:
    """Return all indexes by name, with their heads."""
    return VectorIndex.objects.select_related("head").order_by("name")


def describe_all(indexes: Sequence[VectorIndex]) -> list[IndexInfo]:
    """Return what is told of these indexes; one query for their snapshots and one for their measurements of recall."""
    ids = [index.pk for index in indexes]
    snapshots, recalls = snapshot_records.infos(ids), recall_records.latest(ids)
    return [_describe(index, snapshots.get(index.pk), recalls.get(index.pk)) for index in indexes]


def _describe(index: VectorIndex, snapshot: SnapshotInfo | None, recall: Recall | None) -> IndexInfo:
    return IndexInfo(
        name=index.name,
        dimension=index.dimension,
        distance=index.distance,
        m=index.m,
        ef_construction=index.ef_construction,
        ef_search=index.ef_search,
        count=index.head.live_count,
        seq=index.head.last_seq,
        created_at=index.created_at,
        updated_at=index.head.updated_at,
        snapshot=snapshot,
        recall=recall,
        warnings=list(_warnings(index, snapshot, recall)),
    )


def _warnings(index: VectorIndex, snapshot: SnapshotInfo | None, recall: Recall | None) -> Iterator[str]:
    if recall is not None and recall.recall < MIN_RECALL:
        yield (
            f"Searches found {recall.recall:.3f} of the true neighbours when that was last measured "
            f"({recall.measured_at:%Y-%m-%d %H:%M} UTC). Rebuild the graph (manage.py index_rebuild {index.name}), "
            f"or merge into an index with an ef_search above {index.ef_search}; exact: true misses nothing meanwhile. "
            f"Then measure again (manage.py index_recall {index.name})."
        )
    if snapshot is not None and snapshot.error:
        yield f"The last snapshot failed: {snapshot.error} The items are safe in the database; it will be tried again."
