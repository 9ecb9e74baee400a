"""The indexes in the memory of this process: loaded when they are asked for, kept within the memory budget.

A replica remembers the sequence number it is good for. Whoever searches compares that with the head of the index and
catches up first, so this process sees what any other one has written.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import uuid

from django.conf import settings
from django.db import Error, connection

from vectors import metrics, rows
from vectors.filter_index import Matching
from vectors.filters import Filter
from vectors.graph import SearchGraph
from vectors.graph_types import Changes
from vectors.replica import Replica
from vectors.rows import IndexState

logger = logging.getLogger(__name__)

IDLE_SECONDS = 2.0
BUSY_SECONDS = 1.0
"""A search within this time makes the background thread leave room for the next one."""

BURST_SECONDS = 0.3
"""While writes follow each other this closely the tail may grow: they come faster than a graph can take them in, and
writers, searches and the thread would only be in each other's way."""

MAX_WAITING_ROWS = 100_000
"""Rows in a tail that are too many to wait: brute force over 20,000 takes 1.5 ms, and grows with them."""


class Replicas:
    """All replicas of the process, and the thread that moves their tails into graphs. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._replicas: dict[uuid.UUID, Replica] = {}
        self._id_of_name: dict[str, uuid.UUID] = {}
        self._stale: set[uuid.UUID] = set()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._is_over = False
        self._searched_at = 0.0

    def __len__(self) -> int:
        return len(self._replicas)

    def names(self) -> list[str]:
        """Return the names of the indexes in memory."""
        return [replica.name for replica in list(self._replicas.values())]

    def current(self, state: IndexState) -> SearchGraph:
        """Return the graph of this index, good for at least `state.last_seq`."""
        replica = self._get(state)
        replica.used_at = self._searched_at = time.monotonic()
        is_behind = replica.applied_seq < state.last_seq
        graph = replica.catch_up(state)
        if is_behind:
            self._keep_to_budget(replica)
            self._start()
            self._wake.set()
        if replica.generation < state.generation and replica.index_id not in self._stale:
            self._start()
            self.written(replica.index_id)
        return graph

    def is_ready(self, state: IndexState, wanted: Filter | None) -> bool:
        """Return whether an index, and what a filter asks for, are in memory, but for the newest writes perhaps."""
        replica = self._replicas.get(state.id)
        if replica is None or not replica.applied_seq or replica.applied_seq < state.tombstone_floor:
            return False
        return wanted is None or replica.filters.is_ready(state, wanted)

    def matching(self, state: IndexState, wanted: Filter) -> Matching:
        """Return the items that pass a filter; all writes up to `state.last_seq` are seen."""
        replica = self._get(state)
        replica.used_at = time.monotonic()
        before = replica.filters.size_bytes
        found = replica.filters.matching(state, wanted)
        if replica.filters.size_bytes > before:
            self._keep_to_budget(replica)
        return found

    def written(self, index_id: uuid.UUID) -> None:
        """Take note of a write of this process, so that the next search finds the graph already up to date."""
        if index_id in self._replicas:
            with self._lock:
                self._stale.add(index_id)
            self._wake.set()

    def is_loaded(self, index_id: uuid.UUID) -> bool:
        """Return whether this process holds the index."""
        replica = self._replicas.get(index_id)
        return replica is not None and replica.applied_seq > 0

    def hand_over(self, index_id: uuid.UUID, after_seq: int, changes: Changes | None) -> None:
        """Take what this process has just committed, all there is after `after_seq`, rather than read it back."""
        replica = self._replicas.get(index_id)
        try:
            is_taken = replica is not None and changes is not None and replica.take(after_seq, changes)
        except Exception:
            # The write is durable and has to be answered as such; the next search reads the rows.
            logger.exception("changes could not be handed over", extra={"index_id": str(index_id)})
            is_taken = False
        if replica is None or not is_taken:
            self.written(index_id)
            return
        self._keep_to_budget(replica)
        self._start()
        self._wake.set()

    def forget(self, index_id: uuid.UUID) -> None:
        """Drop what this process holds of an index."""
        with self._lock:
            self._replicas.pop(index_id, None)
            self._stale.discard(index_id)

    def forget_name(self, name: str) -> None:
        """Drop what this process holds of the index that had this name."""
        index_id = self._id_of_name.pop(name, None)
        if index_id is not None:
            self.forget(index_id)

    def sizes_bytes(self) -> dict[uuid.UUID, int]:
        """Return the memory each index holds here; those that are not loaded are left out."""
        found = list(self._replicas.values())
        return {replica.index_id: replica.size_bytes for replica in found if replica.applied_seq}

    def size_bytes(self) -> int:
        """Return the memory all replicas hold."""
        return sum(replica.size_bytes for replica in list(self._replicas.values()))

    def end(self) -> None:
        """End the background thread for good: hnswlib aborts a process that ends while it works for a daemon thread."""
        with self._lock:
            self._is_over, thread = True, self._thread
        self._stopping.set()
        self._wake.set()
        if thread is not None:
            thread.join()

    def stop(self) -> None:
        """End the background thread after its present step and drop everything."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._thread = None
            self._stopping.clear()
            self._replicas.clear()
            self._id_of_name.clear()
            self._stale.clear()

    def _get(self, state: IndexState) -> Replica:
        replica = self._replicas.get(state.id)
        if replica is not None:
            return replica
        with self._lock:
            if self._id_of_name.get(state.name, state.id) != state.id:
                self._replicas.pop(self._id_of_name[state.name], None)  # dropped and created anew elsewhere
            self._id_of_name[state.name] = state.id
            return self._replicas.setdefault(state.id, Replica(state))

    def _keep_to_budget(self, used: Replica) -> None:
        budget = settings.LAKEHOUSE_VECTOR_MEMORY_MB * 1024 * 1024
        with self._lock:
            size = sum(replica.size_bytes for replica in self._replicas.values())
            for replica in sorted(self._replicas.values(), key=lambda replica: replica.used_at):
                if size <= budget:
                    return
                if replica is not used:
                    size -= replica.size_bytes
                    del self._replicas[replica.index_id]
                    logger.info("index dropped from memory", extra={"index": replica.name, "budget_bytes": budget})
        if size > budget:
            logger.warning(
                "index alone exceeds LAKEHOUSE_VECTOR_MEMORY_MB", extra={"index": used.name, "size_bytes": size}
            )

    def _start(self) -> None:
        with self._lock:
            if not self._is_over and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="graph-builder", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self._wake.wait(IDLE_SECONDS):
                connection.close()  # idle, it would be in the way of backups and drops
                self._wake.wait()
            self._wake.clear()
            while not self._stopping.is_set() and self._step():
                pass
        connection.close()

    def _step(self) -> bool:
        """Do a little for every replica that needs it; return whether there is more."""
        more = False
        for replica in list(self._replicas.values()):
            try:
                self._follow(replica)
                more |= self._build(replica)
            except Error as error:
                # The next search catches up by itself. This thread has no requests, whose end would drop a dead
                # connection.
                logger.info("graph not followed", extra={"index": replica.name, "reason": str(error)})
                connection.close()
            except Exception:
                logger.exception("graph could not be built", extra={"index": replica.name})
                self.forget(replica.index_id)
        return more

    def _follow(self, replica: Replica) -> None:
        with self._lock:
            is_stale = replica.index_id in self._stale
            self._stale.discard(replica.index_id)
        if not is_stale:
            return
        state = rows.read_state(replica.name)
        if state is None or state.id != replica.index_id:
            self.forget(replica.index_id)
        elif replica.generation < state.generation:
            replica.reload(state)
        else:
            replica.catch_up(state)

    def _build(self, replica: Replica) -> bool:
        if not replica.graph.has_work:
            return False
        now = time.monotonic()
        if now - replica.changed_at < BURST_SECONDS and replica.graph.waiting_rows < MAX_WAITING_ROWS:
            time.sleep(0.02)
            return True
        if now - self._searched_at > BUSY_SECONDS:
            return replica.graph.move_chunk(threads=os.cpu_count() or 1)
        more = replica.graph.move_chunk(threads=1, seconds=0.0015)
        time.sleep(0.003)
        return more


replicas = Replicas()
# Registered before anything that uses it, so called after: at the end a server still takes snapshots.
atexit.register(replicas.end)
metrics.MEMORY_BYTES.set_function(replicas.size_bytes)
metrics.LOADED_INDEXES.set_function(lambda: len(replicas))
