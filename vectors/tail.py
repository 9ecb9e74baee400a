"""The exact tail: rows held in flat arrays and searched by brute force.

New vectors land here at the cost of a copy; indexes too small for a graph live here altogether.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vectors.distances import PREPARED_COSINE_ERROR, Distance, Float64s, FloatRows
from vectors.exact import closest, nearest, row_norms

Labels = NDArray[np.int64]

MIN_BLOCK_ROWS = 64
MAX_BLOCK_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Hits:
    """Labels (int64) and distances (float64) of the rows nearest to one query, ascending."""

    labels: Labels
    distances: Float64s


def is_among(labels: Labels, ascending: Labels) -> NDArray[np.bool_]:
    """Return for each label whether it is one of those that ascend."""
    if not len(ascending):
        return np.zeros(len(labels), np.bool_)
    places = np.minimum(ascending.searchsorted(labels), len(ascending) - 1)
    same: NDArray[np.bool_] = ascending[places] == labels
    return same


class _Block:
    """Rows in order of arrival until something is removed; then the last rows fill the holes."""

    def __init__(self, capacity: int, dimension: int, dtype: DTypeLike) -> None:
        self.vectors: FloatRows = np.empty((capacity, dimension), dtype)
        self.norms: FloatRows = np.empty(capacity, dtype)
        self.labels: Labels = np.empty(capacity, np.int64)
        self.size = 0

    def append(self, labels: Labels, vectors: FloatRows) -> int:
        count = min(len(labels), len(self.labels) - self.size)
        end = self.size + count
        self.vectors[self.size : end] = vectors[:count]
        self.norms[self.size : end] = row_norms(self.vectors[self.size : end])
        self.labels[self.size : end] = labels[:count]
        self.size = end
        return count

    def remove(self, positions: NDArray[np.intp]) -> None:
        kept = self.size - len(positions)
        holes = positions[positions < kept]
        stays = np.ones(self.size - kept, np.bool_)
        stays[positions[positions >= kept] - kept] = False
        fillers = np.flatnonzero(stays) + kept
        for array in (self.vectors, self.norms, self.labels):
            array[holes] = array[fillers]
        self.size = kept


class Tail:
    """Labelled rows with exact search. Not thread-safe: its owner locks.

    Parameters
    ----------
    dimension
        Components per row.
    distance
        One of `distances.DISTANCES`.
    dtype
        float32, or float64 for rows that float32 arithmetic cannot handle.
    """

    def __init__(self, dimension: int, distance: Distance, dtype: DTypeLike = np.float32) -> None:
        self._dimension = dimension
        self._distance: Distance = distance
        self._dtype = np.dtype(dtype)
        self._slack = PREPARED_COSINE_ERROR if distance == "cosine" else 0.0
        self._blocks: list[_Block] = []

    def __len__(self) -> int:
        return sum(block.size for block in self._blocks)

    @property
    def size_bytes(self) -> int:
        """Memory of the rows, their labels and norms."""
        return len(self) * (self._dimension * self._dtype.itemsize + self._dtype.itemsize + 8)

    def append(self, labels: Labels, vectors: FloatRows) -> None:
        """Add rows of shape (n, dimension), prepared by `distances.prepare`; they are copied."""
        done = 0
        while done < len(labels):
            if not self._blocks or self._blocks[-1].size == len(self._blocks[-1].labels):
                capacity = min(max(len(self), len(labels) - done, MIN_BLOCK_ROWS), MAX_BLOCK_ROWS)
                self._blocks.append(_Block(capacity, self._dimension, self._dtype))
            done += self._blocks[-1].append(labels[done:], vectors[done:])

    def remove(self, labels: Labels) -> Labels:
        """Remove the rows with these labels and return the labels that were not here."""
        missing = labels
        for block in self._blocks:
            if not len(missing):
                break
            present = np.isin(block.labels[: block.size], missing)
            if present.any():
                positions = np.flatnonzero(present)
                missing = np.setdiff1d(missing, block.labels[positions], assume_unique=True)
                block.remove(positions)
        self._blocks = [block for block in self._blocks if block.size]
        return missing

    def oldest(self, count: int) -> tuple[Labels, FloatRows]:
        """Return copies of up to `count` rows of the first block; `drop_oldest` removes just these."""
        if not self._blocks:
            return np.empty(0, np.int64), np.empty((0, self._dimension), self._dtype)
        block = self._blocks[0]
        start = max(0, block.size - count)
        return block.labels[start : block.size].copy(), block.vectors[start : block.size].copy()

    def drop_oldest(self, count: int) -> None:
        """Remove the rows that `oldest` returned."""
        self._blocks[0].size -= count
        if not self._blocks[0].size:
            del self._blocks[0]

    def search(self, queries: FloatRows, k: int, allowed: Labels | None = None) -> list[Hits]:
        """Return for each query of shape (b, dimension) the rows that can be among its k nearest, ties included.

        With `allowed`, ascending labels, only these rows count.
        """
        found: list[list[Hits]] = [[] for _ in queries]
        typed = queries.astype(self._dtype, copy=False)
        for block in self._blocks:
            rows, norms, labels = block.vectors[: block.size], block.norms[: block.size], block.labels[: block.size]
            if allowed is not None:
                chosen = np.flatnonzero(is_among(labels, allowed))
                rows, norms, labels = rows[chosen], norms[chosen], labels[chosen]
            for i, near in enumerate(nearest(typed, rows, norms, k, self._distance, self._slack)):
                found[i].append(Hits(labels[near.positions], near.distances))
        return [self._merge(hits, k) for hits in found]

    def closest_other(self, queries: FloatRows, own: Labels) -> Float64s:
        """Return how far the nearest row under another label than its own is from each query; infinite for none."""
        closest = np.full(len(queries), np.inf)
        for i, hits in enumerate(self.search(queries, 2)):
            others = hits.distances[hits.labels != own[i]]
            if len(others):
                closest[i] = others.min()
        return closest

    def count_among(self, allowed: Labels) -> int:
        """Return how many rows have one of these ascending labels."""
        return sum(int(is_among(block.labels[: block.size], allowed).sum()) for block in self._blocks)

    def _merge(self, parts: list[Hits], k: int) -> Hits:
        if len(parts) == 1:
            return parts[0]
        labels = np.concatenate([part.labels for part in parts]) if parts else np.empty(0, np.int64)
        distances = np.concatenate([part.distances for part in parts]) if parts else np.empty(0)
        order = closest(distances, k, self._slack)
        return Hits(labels[order], distances[order])
