"""Snapshots: an index as one file in object storage, published so that at no instant a wrong one counts.

A file is written beside the data, made durable, announced by a row, saved under a name nothing ever had, read back,
and only then counted. Files that nobody needs any more are deleted after a while; those this database knows nothing
of are never touched.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from django.db import Error

from lakehouse_site.errors import IndexNotFound, StorageFailed, Unavailable
from vectors import metrics, snapshot_records
from vectors.contents import describe, one_moment, pages
from vectors.graph import SearchGraph
from vectors.lhv1 import write
from vectors.models import Snapshot
from vectors.objects import delete_object, file_hash, make_scratch, save_object, scratch_path
from vectors.replicas import replicas
from vectors.rows import IndexState
from vectors.snapshot_records import SnapshotInfo, WrittenFile

logger = logging.getLogger(__name__)


def take_snapshot(*, state: IndexState, graph: SearchGraph | None = None) -> SnapshotInfo:
    """Publish a snapshot of an index as it is now.

    Parameters
    ----------
    state
        The index.
    graph
        Its graph, where the caller has a better one than that of this process.

    Raises
    ------
    IndexNotFound
        The index was dropped meanwhile.
    StorageFailed
        The file could not be written, saved, or was read back wrong. The failure is on record; rows are not concerned.
    """
    started = time.perf_counter()
    snapshot: Snapshot | None = None
    try:
        graph = replicas.current(state) if graph is None else graph
        with scratch_path(".lhv1") as path:
            written = _write_file(state, graph, path)
            snapshot = snapshot_records.announce(state.id, written)
            save_object(snapshot.object_name, path, written.size_bytes, written.sha256)
        snapshot_records.accept(snapshot, state.name)
    except IndexNotFound:
        raise
    except (StorageFailed, OSError) as error:
        detail = error.detail if isinstance(error, StorageFailed) else f"The snapshot could not be written: {error}"
        _record_failure(state, snapshot, detail)
        raise StorageFailed(detail) from error
    except Error as error:
        _record_failure(state, snapshot, f"The database failed: {error}")
        raise
    metrics.SNAPSHOTS.labels("published").inc()
    facts = {"index": state.name, "seq": written.seq, "size_bytes": written.size_bytes}
    logger.info("snapshot published", extra=facts | {"seconds": time.perf_counter() - started})
    return SnapshotInfo(written.seq, written.size_bytes, snapshot.created_at, None)


def collect_files(*, index_id: uuid.UUID | None = None) -> int:
    """Delete the files that are no longer needed, of one index or of all; return how many are gone.

    A file that cannot be deleted now is tried again the next time. One that an index was restored from is not ours.
    """
    deleted = 0
    for snapshot in snapshot_records.collectable(index_id):
        if not snapshot_records.condemn(snapshot):
            continue
        if snapshot.is_foreign:
            snapshot_records.forget(snapshot)
            continue
        try:
            delete_object(snapshot.object_name)
        except StorageFailed as error:
            metrics.STORAGE_FAILURES.labels("delete").inc()
            logger.warning("object could not be deleted", extra={"reason": error.detail})
            break  # the others would wait for the same storage
        snapshot_records.forget(snapshot)
        metrics.DELETED_OBJECTS.inc()
        deleted += 1
    return deleted


def _write_file(state: IndexState, graph: SearchGraph, path: Path) -> WrittenFile:
    with scratch_path(".hnsw") as graph_path, ExitStack() as stack:
        # The graph before the moment: so no label in it is newer than the sequence number of the file.
        saved: BinaryIO | None = None
        if graph.save_graph(graph_path):
            saved = stack.enter_context(graph_path.open("rb"))
            os.fsync(saved.fileno())  # a write that the disk refuses late is noticed here, without a lock on the graph
        file = stack.enter_context(path.open("w+b"))
        with one_moment(state) as now:
            write(file, describe(now), pages(now), graph=saved, make_scratch=make_scratch)
        os.fsync(file.fileno())
        graph_bytes = graph_path.stat().st_size if saved else 0
    return WrittenFile(now.last_seq, graph.generation, graph_bytes, *file_hash(path))


def _record_failure(state: IndexState, snapshot: Snapshot | None, detail: str) -> None:
    metrics.SNAPSHOTS.labels("failed").inc()
    metrics.STORAGE_FAILURES.labels("publish").inc()
    logger.error("snapshot failed", extra={"index": state.name, "reason": detail})
    try:
        snapshot_records.fail(state, snapshot, detail)
    except (Error, Unavailable):
        logger.warning("failure of a snapshot could not be recorded", exc_info=True)
