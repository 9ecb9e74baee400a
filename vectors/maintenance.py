"""What keeps indexes in good order without anybody asking: snapshots that are due, old tombstones, files nobody needs.

One round goes over all indexes. Servers run rounds in a background thread (`upkeep.py`), `manage.py vectors_maintain`
runs one. Every step may be cut off anywhere, and may be done twice.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import Error
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from lakehouse_site.errors import IndexNotFound, LakehouseError
from vectors import metrics, rows, snapshot_records
from vectors.graph import SearchGraph
from vectors.indexes import index_state, list_indexes
from vectors.models import IndexHead, VectorIndex, VectorItem
from vectors.objects import sweep_scratch
from vectors.replica import Replica
from vectors.replicas import replicas
from vectors.snapshot_records import SnapshotInfo, Standing
from vectors.snapshots import collect_files, take_snapshot
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

MIN_CHANGES, MIN_CHANGED_SHARE = 10_000, 0.2
"""So many changes since the last snapshot are enough for another one."""

MIN_INTERVAL = timedelta(seconds=60)
IDLE = timedelta(seconds=60)
MAX_AGE = timedelta(hours=1)
RETRY_AFTER = timedelta(minutes=5)
TOMBSTONE_AGE = timedelta(hours=1)
"""Tombstones this old may go. A graph that has not followed for longer loads anew, which costs it little."""

PURGE_ROWS = 5_000
BUILD_SECONDS = 0.25


@dataclass(slots=True)
class Round:
    """What a round did. `errors` has a line for each index that could not be served."""

    indexes: int = 0
    snapshots: int = 0
    purged_tombstones: int = 0
    deleted_files: int = 0
    errors: list[str] = field(default_factory=list)


def run_round(*, finish_graphs: bool, go_on: Callable[[], bool] = lambda: True) -> Round:
    """Do for every index what is due; one that is in trouble keeps no other from its turn.

    Parameters
    ----------
    finish_graphs
        Whether to build a graph to its end before its snapshot. A server leaves that to its own thread and takes the
        snapshot in a later round.
    go_on
        Asked before every index.
    """
    done = Round()
    standings = snapshot_records.standings()
    for index in list_indexes():
        if not go_on():
            return done
        done.indexes += 1
        try:
            done.purged_tombstones += purge_tombstones(head=index.head)
            if is_due(index.head, standings.get(index.pk, Standing()), timezone.now()):
                done.snapshots += _snapshot_if_ready(index, finish_graphs)
        except IndexNotFound:
            continue  # dropped meanwhile
        except LakehouseError as error:
            done.errors.append(f"{index.name}: {error.detail}")
        except Error:
            raise  # the database is away: for all of them
        except Exception as error:
            logger.exception("index could not be maintained", extra={"index": index.name})
            done.errors.append(f"{index.name}: {type(error).__name__}, see the log")
    done.deleted_files = collect_files()
    sweep_scratch()
    metrics.MAINTENANCE_ROUNDS.labels("failed" if done.errors else "done").inc()
    return done


def is_due(head: IndexHead, standing: Standing, now: datetime) -> bool:
    """Return whether an index should have a new snapshot: after many changes, when it has come to rest, or when the
    last one is old. One that just failed is not tried again at once.
    """
    changes = head.last_seq - standing.seq
    if changes <= 0 or (standing.failed_at is not None and now - standing.failed_at < RETRY_AFTER):
        return False
    if now - head.updated_at >= IDLE:
        return True
    age = now - (standing.created_at or head.index.created_at)
    return age >= MAX_AGE or (age >= MIN_INTERVAL and changes >= max(MIN_CHANGES, MIN_CHANGED_SHARE * head.live_count))


def purge_tombstones(*, head: IndexHead) -> int:
    """Delete the tombstones of an index that are older than `TOMBSTONE_AGE`; return how many.

    Rows have no time, so every now and then the head notes its sequence number with the time: what has a smaller one is
    older than that.
    """
    now = timezone.now()
    mark_at, mark_seq = head.purge_mark_at, head.purge_mark_seq
    if mark_at is not None and now - mark_at < TOMBSTONE_AGE:
        return 0
    purged = 0
    # A look first, which costs no lock: this is asked of every index at every round.
    if mark_at is not None and VectorItem.objects.filter(index=head.pk, deleted=True, seq__lte=mark_seq).exists():
        while count := run_write(partial(_purge_some, head.pk, mark_seq)):
            purged += count
    if mark_at is None or head.last_seq > mark_seq:
        mark = IndexHead.objects.filter(pk=head.pk)
        run_write(lambda: mark.update(purge_mark_seq=F("last_seq"), purge_mark_at=now))
    if purged:
        metrics.PURGED_TOMBSTONES.inc(purged)
        logger.info("tombstones purged", extra={"index_id": str(head.pk), "tombstones": purged, "until_seq": mark_seq})
    return purged


def build_graph(*, name: str, progress: Callable[[int], None] = lambda moved: None) -> None:
    """Load an index into this process and build what is missing of its graph, as a server does in the background.

    Raises
    ------
    IndexNotFound
        No index has this name.
    """
    _finish(replicas.current(index_state(name=name)), progress)


def snapshot_index(*, name: str, progress: Callable[[int], None] = lambda moved: None) -> SnapshotInfo:
    """Build what is missing of an index's graph and publish a snapshot.

    Raises
    ------
    IndexNotFound
        No index has this name.
    StorageFailed
        The snapshot could not be published.
    """
    state = index_state(name=name)
    graph = replicas.current(state)
    _finish(graph, progress)
    return take_snapshot(state=state, graph=graph)


def rebuild_index(*, name: str, progress: Callable[[int], None] = lambda moved: None) -> SnapshotInfo:
    """Build the graph of an index anew from its rows and publish it; every process then changes over to it.

    Searches go on with the old graph meanwhile.

    Raises
    ------
    IndexNotFound
        No index has this name.
    StorageFailed
        The new graph could not be published; the old one stays in use.
    """
    started = time.perf_counter()
    state = index_state(name=name)
    graph = Replica(state).from_rows(state)
    graph.generation = state.generation + 1
    _finish(graph, progress)
    info = take_snapshot(state=state, graph=graph)
    head = IndexHead.objects.filter(pk=state.id)
    run_write(lambda: head.update(generation=Greatest(F("generation"), graph.generation)))
    facts = {"index": name, "generation": graph.generation, "items": len(graph)}
    logger.info("index rebuilt", extra=facts | {"seconds": time.perf_counter() - started})
    return info


def _snapshot_if_ready(index: VectorIndex, finish_graph: bool) -> bool:
    state = index_state(name=index.name)
    graph = replicas.current(state)
    if finish_graph:
        _finish(graph, lambda moved: None)
    elif graph.has_work and graph.unsaved_rows > MIN_CHANGED_SHARE * len(graph):
        return False  # it would lack much of what the next one will have
    take_snapshot(state=state, graph=graph)
    return True


def _finish(graph: SearchGraph, progress: Callable[[int], None]) -> None:
    before = graph.unsaved_rows
    while graph.move_chunk(threads=-1, seconds=BUILD_SECONDS):
        progress(max(0, before - graph.unsaved_rows))
        before = graph.unsaved_rows


def _purge_some(index_id: uuid.UUID, until_seq: int) -> int:
    head = IndexHead.objects.filter(pk=index_id)
    if not head.select_for_update().exists():  # the head first, as in every write
        return 0
    purged = rows.purge(index_id, until_seq, PURGE_ROWS)
    if purged:
        # In the same transaction: whoever can miss the tombstones can read that some may be gone.
        head.update(tombstone_floor=Greatest(F("tombstone_floor"), until_seq))
    return purged
