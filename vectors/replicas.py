"""The graphs of this process: brought up to date with the rows, kept within the memory budget.

A replica remembers the sequence number it is good for. Whoever searches compares that with the head of the index and
catches up first, so this process sees what any other one has written.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid

from django.conf import settings
from django.db import connection

from vectors import rows
from vectors.graph import SearchGraph
from vectors.rows import IndexState

logger = logging.getLogger(__name__)

PAGE_BYTES = 4 * 1024 * 1024
IDLE_SECONDS = 2.0
BUSY_SECONDS = 1.0
"""A search within this time makes the background thread leave room for the next one."""

BURST_SECONDS = 0.3
"""While writes follow each other this closely the tail may grow: they come faster than a graph can take them in, and
writers, searches and the thread would only be in each other's way."""

MAX_WAITING_ROWS = 100_000
"""Rows in a tail that are too many to wait: brute force over 20,000 takes 1.5 ms, and grows with them."""


class Replica:
    """One index in this process: a graph, and the sequence number it is good for.

    The two change hands as a pair. Whoever has read a pair may search its graph, whatever happens to the replica.
    """

    def __init__(self, state: IndexState) -> None:
        self.index_id = state.id
        self.name = state.name
        self.used_at = time.monotonic()
        self.changed_at = 0.0
        self.page_rows = max(256, PAGE_BYTES // (4 * state.dimension))
        self._params = state.graph_params
        self._catching_up = threading.Lock()
        self._good: tuple[SearchGraph, int] = self._nothing()

    @property
    def graph(self) -> SearchGraph:
        return self._good[0]

    @property
    def applied_seq(self) -> int:
        return self._good[1]

    def catch_up(self, target_seq: int, tombstone_floor: int) -> SearchGraph:
        """Return a graph that has everything up to `target_seq`.

        Raises
        ------
        RuntimeError
            In a transaction: after its rollback the graph would hold rows that never were, and later skip real ones.
        """
        graph, applied_seq = self._good
        if applied_seq >= target_seq:
            return graph
        if connection.in_atomic_block:
            raise RuntimeError("A graph cannot catch up inside a transaction; search before or after it.")
        with self._catching_up:
            if 0 < self.applied_seq < tombstone_floor:
                self._good = self._nothing()
            is_new = self.applied_seq == 0
            started = time.perf_counter()
            try:
                self._apply_until(target_seq, live_until=target_seq if is_new else 0)
            except BaseException:
                self._good = self._nothing()  # half of a page may be applied
                raise
            graph = self.graph
            self.changed_at = 0.0 if is_new else time.monotonic()
            if is_new:
                facts = {"index": self.name, "items": len(graph), "seconds": time.perf_counter() - started}
                logger.info("index loaded", extra=facts)
            return graph

    def _apply_until(self, target_seq: int, *, live_until: int) -> None:
        graph, applied_seq = self._good
        while applied_seq < target_seq:
            changes = rows.changes_after(self.index_id, applied_seq, self.page_rows, live_until=live_until)
            graph.apply(changes)
            is_last_page = len(changes) < self.page_rows
            applied_seq = max(changes.last_seq, target_seq) if is_last_page else changes.last_seq
            self._good = graph, applied_seq

    def _nothing(self) -> tuple[SearchGraph, int]:
        return SearchGraph(self._params), 0


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
        self._searched_at = 0.0

    def current(self, state: IndexState) -> SearchGraph:
        """Return the graph of this index, good for at least `state.last_seq`."""
        replica = self._get(state)
        replica.used_at = self._searched_at = time.monotonic()
        is_behind = replica.applied_seq < state.last_seq
        graph = replica.catch_up(state.last_seq, state.tombstone_floor)
        if is_behind:
            self._keep_to_budget(replica)
            self._start()
            self._wake.set()
        return graph

    def written(self, index_id: uuid.UUID) -> None:
        """Take note of a write of this process, so that the next search finds the graph already up to date."""
        if index_id in self._replicas:
            with self._lock:
                self._stale.add(index_id)
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

    def size_bytes(self) -> int:
        """Return the memory all replicas hold."""
        return sum(replica.graph.size_bytes for replica in list(self._replicas.values()))

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
            size = sum(replica.graph.size_bytes for replica in self._replicas.values())
            for replica in sorted(self._replicas.values(), key=lambda replica: replica.used_at):
                if size <= budget:
                    return
                if replica is not used:
                    size -= replica.graph.size_bytes
                    del self._replicas[replica.index_id]
                    logger.info("index dropped from memory", extra={"index": replica.name, "budget_bytes": budget})
        if size > budget:
            logger.warning(
                "index alone exceeds LAKEHOUSE_VECTOR_MEMORY_MB", extra={"index": used.name, "size_bytes": size}
            )

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
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
        else:
            replica.catch_up(state.last_seq, state.tombstone_floor)

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
