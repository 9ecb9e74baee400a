"""Which labels hold exactly this vector.

A graph is approximate even about what it holds: on 20,000 real embeddings one stored vector in 20,000 is not found by
searching for it. Looking the vector up by its hash as well makes sure that whatever is stored finds itself.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.int64]
Labels = NDArray[np.int64]

ROWS_AT_ONCE = 4096


class Fingerprints:
    """A growing map from vectors to labels, in sorted runs: 16 bytes an item where a dictionary takes 100.

    Notes
    -----
    A new run is merged into its neighbour until that is more than twice as long, so there are O(log n) runs and an
    addition costs O(log n) amortised. Labels of removed vectors stay; the caller leaves them out.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[Hashes, Labels]] = []

    def add(self, labels: Labels, vectors: NDArray[Any]) -> None:
        """Remember the labels of rows of shape (n, d)."""
        run = _sorted(fingerprints(vectors), labels)
        while self._runs and len(self._runs[-1][0]) <= 2 * len(run[0]):
            last = self._runs.pop()
            run = _sorted(np.concatenate((last[0], run[0])), np.concatenate((last[1], run[1])))
        self._runs.append(run)

    def labels(self, vector: NDArray[Any]) -> list[int]:
        """Return the labels under which this row of shape (d,) was added, and, once in 2**64, of another one."""
        wanted = _fingerprint(vector)
        found: list[int] = []
        for hashes, labels in self._runs:
            start = int(hashes.searchsorted(wanted))
            while start < len(hashes) and hashes[start] == wanted:
                found.append(int(labels[start]))
                start += 1
        return found


def fingerprints(vectors: NDArray[Any]) -> Hashes:
    """Return a 64-bit hash of the bytes of each row, shape (n,).

    Notes
    -----
    Multilinear hashing: the row as 64-bit integers, times random odd numbers, summed modulo 2**64. Another row with
    the same sum does no harm: it is one more candidate, whose distance is then measured.

    References
    ----------
    D. Lemire, O. Kaser, "Strongly universal string hashing is fast", The Computer Journal 57(11), 2014.
    """
    width = vectors.shape[1] * vectors.itemsize
    factors = _factors(-(-width // 8))
    hashes = np.empty(len(vectors), np.int64)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        rows = np.ascontiguousarray(vectors[start : start + ROWS_AT_ONCE])
        words = rows.view(np.uint8)
        if width % 8:
            words = np.pad(words, ((0, 0), (0, 8 - width % 8)))
        hashes[start : start + len(rows)] = (words.view(np.uint64) @ factors).view(np.int64)
    return hashes


def _fingerprint(vector: NDArray[Any]) -> int:
    """Return the same as `fingerprints` for one row of shape (d,), at half the cost."""
    if vector.nbytes % 8 or not vector.flags.c_contiguous:
        return int(fingerprints(vector.reshape(1, -1))[0])
    return int((vector.view(np.uint64) * _factors(vector.nbytes // 8)).sum().view(np.int64))


@cache
def _factors(count: int) -> NDArray[np.uint64]:
    drawn = np.random.default_rng(0x1EAF).integers(0, 2**64, count, np.uint64)
    return drawn | np.uint64(1)


def _sorted(hashes: Hashes, labels: Labels) -> tuple[Hashes, Labels]:
    order = np.argsort(hashes, kind="stable")
    return hashes[order], labels[order]
