"""The graph of the newest good snapshot, for a process that loads an index.

A snapshot only saves time. Whatever is wrong with it (missing, damaged, of another index, or a storage that does not
answer), the index is loaded from its rows, and the trouble is logged, counted and shown.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from django.db import Error

from lakehouse_site.errors import DamagedFile, StorageFailed, Unavailable
from vectors import metrics, snapshot_records
from vectors.contents import params_of
from vectors.lhv1_reader import copy_graph, read_envelope
from vectors.models import Snapshot
from vectors.objects import open_object, scratch_path
from vectors.rows import IndexState

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0
PATIENCE_PER_ITEM_SECONDS = 40e-6
"""Longer than loading its row takes: who waits for a storage any longer would have been served from rows by now."""

TROUBLE_SECONDS = 60.0
"""A storage that has failed is left alone this long, so that one search waits for it and not every one."""

Result = TypeVar("Result")

_trouble_until = 0.0
_straggler: threading.Thread | None = None


def with_newest_graph(state: IndexState, use: Callable[[Path], Result]) -> Result | None:
    """Return what `use` makes of a file with the graph of the newest good snapshot, None where none is to be had.

    A snapshot whose graph makes `use` raise `DamagedFile` is no good either: it is marked, and the one before is tried.
    """
    for snapshot in snapshot_records.verified(state.id):
        if snapshot.generation < state.generation:
            continue  # its graph has been replaced by a better one
        if not snapshot.graph_bytes or _is_left_alone():
            return None
        try:
            with scratch_path(".hnsw") as path:
                _within(_patience(state), partial(fetch_graph, snapshot, state, path), path)
                result = use(path)
        except DamagedFile as error:
            _damaged(state, snapshot, error)
        except (StorageFailed, OSError) as error:
            _trouble(state, snapshot, error)
            return None
        else:
            _record(partial(snapshot_records.note_trouble, snapshot, ""))
            return result
    return None


def _is_left_alone() -> bool:
    return time.monotonic() < _trouble_until or (_straggler is not None and _straggler.is_alive())


def fetch_graph(snapshot: Snapshot, state: IndexState, path: Path) -> None:
    """Copy the graph of a snapshot to a file.

    Raises
    ------
    DamagedFile
        The object is missing, not what was written, or not of this index.
    StorageFailed
        The storage failed.
    """
    with open_object(snapshot.object_name) as file:
        envelope = read_envelope(file)
        said = envelope.description
        # An index that was restored uses the file of the one it was made from, which may have had another name.
        made_of = snapshot.object_name.split("/")[-2]
        params = replace(said.params, name=state.name)
        if (str(said.uuid), params, said.applied_seq) != (made_of, params_of(state), snapshot.seq):
            raise DamagedFile(f"{snapshot.object_name} is a snapshot of something else.")
        with path.open("wb") as target:
            copy_graph(file, envelope, target)


def _patience(state: IndexState) -> float:
    return PATIENCE_SECONDS + PATIENCE_PER_ITEM_SECONDS * state.live_count


def _within(seconds: float, fetch: Callable[[], None], path: Path) -> None:
    """Run `fetch`. One that takes longer is left to itself, and then cleans up after itself.

    The storage is left alone until it has ended, so that not more and more of them wait for one that hangs.
    """
    global _straggler
    outcome: list[BaseException | None] = []
    lock, abandoned = threading.Lock(), threading.Event()

    def work() -> None:
        result: BaseException | None = None
        try:
            fetch()
        except BaseException as error:  # noqa: BLE001  it is raised again by who waits
            result = error
        with lock:
            outcome.append(result)
            if abandoned.is_set():
                path.unlink(missing_ok=True)

    thread = threading.Thread(target=work, name="snapshot-fetch", daemon=True)
    thread.start()
    thread.join(seconds)
    with lock:
        if not outcome:
            abandoned.set()
            _straggler = thread
            raise StorageFailed(f"The object storage has not answered for {seconds:.0f} seconds.")
    if outcome[0] is not None:
        raise outcome[0]


def _damaged(state: IndexState, snapshot: Snapshot, error: DamagedFile) -> None:
    facts = {"index": state.name, "object": snapshot.object_name, "reason": error.detail}
    logger.error("snapshot damaged, not used", extra=facts)
    metrics.STORAGE_FAILURES.labels("load").inc()
    _record(lambda: snapshot_records.mark_damaged(snapshot, error.detail))


def _trouble(state: IndexState, snapshot: Snapshot, error: StorageFailed | OSError) -> None:
    global _trouble_until
    _trouble_until = time.monotonic() + TROUBLE_SECONDS
    detail = error.detail if isinstance(error, StorageFailed) else f"The file could not be kept here: {error}"
    facts = {"index": state.name, "object": snapshot.object_name, "reason": detail}
    logger.error("snapshot could not be read", extra=facts)
    metrics.STORAGE_FAILURES.labels("load").inc()
    _record(lambda: snapshot_records.note_trouble(snapshot, detail))


def _record(write: Callable[[], None]) -> None:
    """Write down what was found, if that is possible: a search must not fail for it."""
    try:
        write()
    except (Error, Unavailable):
        logger.warning("state of a snapshot could not be recorded", exc_info=True)
