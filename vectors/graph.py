"""The searchable form of one index in memory: an exact tail, and an hnswlib graph once the index is large.

It is derived from rows and holds no ids and no metadata, only labels: the sequence number of an item's last vector
change. What it answers are candidates; `search.py` reads their rows and decides.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np

from vectors.breadth import near_among
from vectors.distances import Float32Rows, Float64s, is_float32_safe, prepare
from vectors.graph_types import Candidates, Changes, GraphParams
from vectors.hnsw import HnswGraph
from vectors.locks import FairReadWriteLock
from vectors.tail import Hits, Labels, Tail

GRAPH_MIN_ITEMS = 10_000
"""Up to here brute force is as fast as a graph, and perfect."""

SPARE_NEIGHBOURS = 4
"""Asked of hnswlib beyond k, so that float32 noise at the k-th place is settled by exact distances."""

CHUNK_SECONDS = 0.004
"""How long one insertion into hnswlib may keep searches waiting; the size of a chunk follows from it."""

MIN_CHUNK, MAX_CHUNK = 4, 1024

REBUILD_TOMBSTONE_SHARE = 0.4
"""Above this share of dead labels a new graph is grown and the old one drained into it."""

BYTES_PER_KNOWN_ITEM = 110
"""A dictionary entry of two integers."""


class SearchGraph:
    """Search, apply changes, and move rows from the tail into the graph: each safe from any thread.

    Parameters
    ----------
    params
        Those of the index.
    graph_min_items
        The number of live items above which a graph is built; `GRAPH_MIN_ITEMS` unless given.
    generation
        Kept for the owner, who replaces graphs of an older generation.
    """

    def __init__(self, params: GraphParams, graph_min_items: int | None = None, generation: int = 0) -> None:
        self.params = params
        self.generation = generation
        self._graph_min_items = GRAPH_MIN_ITEMS if graph_min_items is None else graph_min_items
        self._lock = FairReadWriteLock()
        self._moving = threading.Lock()
        self._label_of_row: dict[int, int] = {}
        self._tail = Tail(params.dimension, params.distance)
        self._outliers = Tail(params.dimension, params.distance, np.float64)
        self._graph: HnswGraph | None = None
        self._retiring: HnswGraph | None = None
        self._retiring_labels: set[int] = set()
        self._chunk = 32

    def __len__(self) -> int:
        return len(self._label_of_row)

    def save_graph(self, path: Path) -> bool:
        """Write what hnswlib holds to a file; return False, and write nothing, when there is no graph.

        It may lack rows and have dead ones: whoever loads it compares its labels with those of the rows.

        Raises
        ------
        OSError
            The file cannot be written whole.
        """
        with self._lock.read():
            if self._graph is None or not len(self._graph):
                return False
            self._graph.save(path)
        return True

    def load_graph(self, path: Path, label_of_row: dict[int, int]) -> Labels:
        """Begin with a graph that `save_graph` wrote; return the labels it lacks, whose rows are to be applied next.

        Parameters
        ----------
        path
            A file whose checksum has been verified.
        label_of_row
            The labels of all live rows. Labels of the graph that are not among them are dead.

        Raises
        ------
        DamagedFile
            The file is no graph of these parameters; nothing has changed.
        """
        graph = HnswGraph(**asdict(self.params))
        graph.load(path)
        held = graph.live_labels()
        known = {row: label for row, label in label_of_row.items() if label in held}
        graph.remove(np.fromiter(held.difference(known.values()), np.int64))
        with self._lock.write():
            self._graph, self._label_of_row = graph, known
        return np.fromiter((label for label in label_of_row.values() if label not in held), np.int64)

    @property
    def size_bytes(self) -> int:
        """Memory held, without the interpreter's own overhead."""
        parts = (self._tail, self._outliers, self._graph, self._retiring)
        return sum(part.size_bytes for part in parts if part) + len(self) * BYTES_PER_KNOWN_ITEM

    @property
    def has_work(self) -> bool:
        """Whether `move_chunk` has something to do."""
        if self._graph is None:
            return len(self._tail) > self._graph_min_items
        return len(self._tail) > 0 or self._retiring is not None or _needs_rebuild(self._graph)

    @property
    def waiting_rows(self) -> int:
        """Rows in the tail."""
        return len(self._tail)

    @property
    def unsaved_rows(self) -> int:
        """Rows that `save_graph` would leave out."""
        return len(self._tail) + len(self._outliers) + len(self._retiring_labels)

    def labels(self) -> list[int]:
        """Return the labels of all items, in any order."""
        return list(self._label_of_row.values())

    def apply(self, changes: Changes) -> None:
        """Bring the memory up to these rows; only one thread at a time may call it."""
        dead: list[int] = []
        labels: list[int] = []
        fresh: list[int] = []
        known = self._label_of_row
        position = 0
        for row, label, is_deleted in zip(changes.rows, changes.labels, changes.deleted, strict=True):
            old = known.get(row)
            if old is not None and (is_deleted or old != label):
                dead.append(old)
                del known[row]
            if not is_deleted:
                if old != label:
                    known[row] = label
                    labels.append(label)
                    fresh.append(position)
                position += 1
        if dead or fresh:
            rows = np.frombuffer(changes.vectors, "<f4").reshape(position, self.params.dimension)
            chosen = rows if len(fresh) == position else rows[fresh]
            vectors = prepare(chosen.astype(np.float32, copy=False), self.params.distance)
            self._replace(np.array(dead, np.int64), np.array(labels, np.int64), vectors)

    def search(self, queries: Float32Rows, k: int, allowed: Labels | None = None) -> list[Candidates] | None:
        """Return candidates for each query, or None when hnswlib cannot answer and the rows must be searched.

        Parameters
        ----------
        queries
            Shape (b, dimension), float32, finite, as the caller sent them.
        k
            How many neighbours are wanted.
        allowed
            Labels, ascending: only these items count. None is returned also when too few of them are near.
        """
        prepared = prepare(queries, self.params.distance)
        # Cosine has made them unit rows, which are always safe.
        if self.params.distance != "cosine" and not is_float32_safe(prepared).all():
            return None
        threads = 1 if len(queries) < 8 else -1
        with self._lock.read():
            exact = [tail.search(prepared, k, allowed) for tail in (self._tail, self._outliers) if len(tail)]
            graphs = [graph for graph in (self._retiring, self._graph) if graph]
            wanted = k + SPARE_NEIGHBOURS
            if allowed is None:
                near = [graph.search(prepared, wanted, threads) for graph in graphs]
            else:
                apart = sum(tail.count_among(allowed) for tail in (self._tail, self._outliers))
                near = near_among(graphs, prepared, wanted, allowed, len(allowed) - apart, threads)
        found = [labels for labels in near if labels is not None]
        if len(found) < len(near):
            return None
        return [_union([part[i] for part in exact], [labels[i] for labels in found]) for i in range(len(queries))]

    def closest_other(self, vectors: Float32Rows, own: Labels) -> Float64s:
        """Return about how far the nearest item other than itself is from each of these items, shape (n,).

        It may be off by the rounding of float32, infinite where there is none, minus infinity where it is not known.
        """
        prepared = prepare(vectors, self.params.distance)
        with self._lock.read():
            parts = [tail.closest_other(prepared, own) for tail in (self._tail, self._outliers) if len(tail)]
            parts += [graph.closest_other(prepared, own, -1) for graph in (self._retiring, self._graph) if graph]
        closest = np.min(parts, axis=0) if parts else np.full(len(vectors), np.inf)
        return np.where(is_float32_safe(prepared), closest, -np.inf)

    def move_chunk(self, threads: int, seconds: float = CHUNK_SECONDS) -> bool:
        """Move a few rows into the hnswlib graph; return whether more is to be done.

        Searches wait for about `seconds`; the number of rows follows from it.
        """
        with self._moving:
            return self._move_chunk(threads, seconds)

    def _move_chunk(self, threads: int, seconds: float) -> bool:
        if not self.has_work:
            return False
        with self._lock.write():
            if self._graph is None:
                self._graph = HnswGraph(**asdict(self.params))
            elif self._retiring is None and _needs_rebuild(self._graph):
                self._retiring, self._graph = self._graph, HnswGraph(**asdict(self.params))
                self._retiring_labels = self._retiring.live_labels()
            started = time.perf_counter()
            moved = self._move(self._graph, threads)
            elapsed = time.perf_counter() - started
        if moved == self._chunk or elapsed > seconds:
            self._chunk = min(max(int(self._chunk * seconds / max(elapsed, 1e-6)), MIN_CHUNK), MAX_CHUNK)
        return self.has_work

    def _move(self, graph: HnswGraph, threads: int) -> int:
        if len(self._tail):
            labels, vectors = self._tail.oldest(self._chunk)
            graph.add(labels, np.asarray(vectors, np.float32), threads)
            self._tail.drop_oldest(len(labels))
            return len(labels)
        if self._retiring is None:
            return 0
        labels = np.fromiter(islice(self._retiring_labels, self._chunk), np.int64)
        if len(labels):
            graph.add(labels, self._retiring.vectors(labels), threads)
            self._retiring.remove(labels)
            self._retiring_labels.difference_update(labels.tolist())
        if not self._retiring_labels:
            self._retiring = None
        return len(labels)

    def _replace(self, dead: Labels, labels: Labels, vectors: Float32Rows) -> None:
        # Cosine has made them unit rows, which are always safe.
        safe = None if self.params.distance == "cosine" else is_float32_safe(vectors)
        with self._lock.write():
            if len(dead):
                self._remove(dead)
            if safe is None or safe.all():
                self._tail.append(labels, vectors)
            else:
                self._tail.append(labels[safe], vectors[safe])
                self._outliers.append(labels[~safe], vectors[~safe])

    def _remove(self, dead: Labels) -> None:
        missing = self._outliers.remove(self._tail.remove(dead))
        if self._retiring is not None:
            retiring = np.array([label in self._retiring_labels for label in missing.tolist()], np.bool_)
            self._retiring.remove(missing[retiring])
            self._retiring_labels.difference_update(missing[retiring].tolist())
            missing = missing[~retiring]
        if self._graph is not None:
            self._graph.remove(missing)


def _needs_rebuild(graph: HnswGraph) -> bool:
    return graph.tombstones > REBUILD_TOMBSTONE_SHARE * (len(graph) + graph.tombstones)


def _union(exact: list[Hits], near: list[Labels]) -> Candidates:
    labels = np.concatenate([hits.labels for hits in exact] + near) if exact or near else np.empty(0, np.int64)
    return Candidates(labels, is_exact=not near)
