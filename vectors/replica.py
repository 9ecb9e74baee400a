"""One index in this process: its graph, loaded from the newest snapshot or from rows, and kept up to date with rows."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from django.db import Error, connection

from lakehouse_site.errors import IndexNotFound
from vectors import metrics, rows
from vectors.filter_index import FilterIndex
from vectors.graph import SearchGraph
from vectors.graph_types import Changes
from vectors.rows import IndexState
from vectors.snapshot_graphs import with_newest_graph

logger = logging.getLogger(__name__)

PAGE_BYTES = 4 * 1024 * 1024


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
        self.filters = FilterIndex(state.id, state.name)
        self._catching_up = threading.Lock()
        self._good: tuple[SearchGraph, int] = _empty(state), 0

    @property
    def graph(self) -> SearchGraph:
        return self._good[0]

    @property
    def size_bytes(self) -> int:
        """Memory held, without the interpreter's own overhead."""
        return self.graph.size_bytes + self.filters.size_bytes

    @property
    def applied_seq(self) -> int:
        return self._good[1]

    @property
    def generation(self) -> int:
        return self.graph.generation

    def catch_up(self, state: IndexState) -> SearchGraph:
        """Return a graph that has everything up to `state.last_seq`.

        Raises
        ------
        IndexNotFound
            The index was dropped while its rows were read.
        RuntimeError
            In a transaction: after its rollback the graph would hold rows that never were, and later skip real ones.
        """
        graph, applied_seq = self._good
        if applied_seq >= state.last_seq:
            return graph
        if connection.in_atomic_block:
            raise RuntimeError("A graph cannot catch up inside a transaction; search before or after it.")
        with self._catching_up:
            if self.applied_seq == 0:
                self._good = self._load(state)
            elif self.applied_seq < state.last_seq:
                try:
                    self._good = self._follow(state, *self._good)
                except Error:
                    raise
                except BaseException:
                    self._good = _empty(state), 0  # half of a page may be applied
                    raise
                self.changed_at = time.monotonic()
            return self.graph

    def take(self, after_seq: int, changes: Changes) -> bool:
        """Apply all changes after `after_seq` if that is where this replica stands; return whether it was.

        Otherwise nothing is done: whoever searches next reads the rows.
        """
        if not self._catching_up.acquire(blocking=False):
            return False
        try:
            graph, applied_seq = self._good
            if applied_seq != after_seq or not applied_seq:
                return False
            try:
                graph.apply(changes)
            except BaseException:
                self._good = SearchGraph(graph.params, generation=graph.generation), 0  # half of it may be applied
                raise
            self._good = graph, changes.last_seq
            self.changed_at = time.monotonic()
            return True
        finally:
            self._catching_up.release()

    def reload(self, state: IndexState) -> None:
        """Load the graph anew, from the snapshot its newer generation came with; searches go on with the old one."""
        fresh = self._load(state)
        with self._catching_up:
            self._good = fresh

    def _load(self, state: IndexState) -> tuple[SearchGraph, int]:
        started = time.perf_counter()
        graph, source = self._from_snapshot(state), "snapshot"
        if graph is None:
            graph, source = self.from_rows(state), "rows"
        metrics.GRAPH_LOADS.labels(source).inc()
        facts = {"index": self.name, "items": len(graph), "source": source}
        logger.info("index loaded", extra=facts | {"seconds": time.perf_counter() - started})
        # An item that changed while it was loaded has moved past the rows that were read, and was in none of them.
        return self._follow(state, graph, state.last_seq)

    def from_rows(self, state: IndexState) -> SearchGraph:
        """Return a new graph with everything up to `state.last_seq`, of rows alone."""
        return self._apply((_empty(state), 0), state.last_seq, live_until=state.last_seq)[0]

    def _from_snapshot(self, state: IndexState) -> SearchGraph | None:
        def load(path: Path) -> tuple[SearchGraph, list[int]]:
            graph = _empty(state)
            return graph, graph.load_graph(path, rows.live_labels(state.id)).tolist()

        loaded = with_newest_graph(state, load)
        if loaded is None:
            return None
        graph, lacking = loaded
        for start in range(0, len(lacking), self.page_rows):
            graph.apply(rows.changes_of(state.id, lacking[start : start + self.page_rows]))
        return graph

    def _follow(self, state: IndexState, graph: SearchGraph, applied_seq: int) -> tuple[SearchGraph, int]:
        if applied_seq < state.tombstone_floor:
            return self._load(state)
        good = self._apply((graph, applied_seq), state.last_seq)
        now = rows.read_state(self.name)
        if now is None or now.id != self.index_id:
            raise IndexNotFound(self.name)
        # Tombstones that went while the pages were read may have been missed.
        return good if applied_seq >= now.tombstone_floor else self._load(now)

    def _apply(self, good: tuple[SearchGraph, int], target_seq: int, *, live_until: int = 0) -> tuple[SearchGraph, int]:
        graph, applied_seq = good
        while True:
            changes = rows.changes_after(self.index_id, applied_seq, self.page_rows, live_until=live_until)
            graph.apply(changes)
            if len(changes) < self.page_rows:
                return graph, max(changes.last_seq, target_seq)
            applied_seq = changes.last_seq


def _empty(state: IndexState) -> SearchGraph:
    return SearchGraph(state.graph_params, generation=state.generation)
