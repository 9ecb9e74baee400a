"""Exact Jaccard between sets of runs of words, and the few sets each has to be compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from distillation.texts import Places, Shingles, ranges

_ROUNDING = 1e-9
"""0.8 · 15 must not become 13 when it is rounded up."""


class SetIndex:
    """The sets of some rows, ready to be compared one by one. Rows are named by their number in `sets`.

    Notes
    -----
    Runs of words are ranked by how rare they are. Two sets x and y, x not larger, with a Jaccard of at least t share at
    least ``2t / (1 + t) · |x|`` and ``t · |y|`` runs. So of the first ``|x| - that + 1`` runs of x and the first
    ``|y| - that + 1`` of y, rarest first, one is the same: only rows that share one of these are compared, and none is
    overlooked. A phrase that half the rows open with costs nothing, for it is not rare.

    References
    ----------
    S. Chaudhuri, V. Ganti, R. Kaushik, "A primitive operator for similarity joins in data cleaning", ICDE 2006;
    C. Xiao, W. Wang, X. Lin, J. Yu, "Efficient similarity joins for near duplicate detection", WWW 2008.
    """

    def __init__(self, sets: Shingles, rows: Places, jaccard: float) -> None:
        """Index these rows of `sets`, each with at least one run, to find pairs of at least this Jaccard."""
        counts_of = sets.sizes()[rows]
        hashes = sets.hashes[ranges(sets.starts[rows], counts_of)]
        _, runs, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        ranks = np.empty(len(counts), np.int64)
        ranks[np.argsort(counts, kind="stable")] = np.arange(len(counts))
        owner = np.repeat(np.arange(len(rows), dtype=np.int64), counts_of)
        # Sorted by row, then rarest first, each run once.
        distinct = max(1, len(counts))
        keys = np.sort(owner * distinct + ranks[runs])
        keys = keys[np.diff(keys, prepend=-1) > 0]
        self._runs: NDArray[np.int32] = (keys % distinct).astype(np.int32)
        starts = np.searchsorted(keys, np.arange(len(rows) + 1, dtype=np.int64) * distinct)
        sizes = np.diff(starts)
        # Runs that only one row has come first, and lead nowhere.
        is_alone = self._runs < np.count_nonzero(counts == 1)
        shared = starts[:-1] + np.diff(np.concatenate([np.zeros(1, np.int64), np.cumsum(is_alone)])[starts])
        self._jaccard = jaccard
        self._sizes = sizes
        self._common: Places = starts[1:] - shared  # runs that another row has too
        self._starts: list[int] = starts.tolist()
        self._shared: list[int] = shared.tolist()
        self._looked_up: list[int] = (starts[:-1] + _first_runs(sizes, jaccard)).tolist()
        self._listed: list[int] = (starts[:-1] + _first_runs(sizes, 2 * jaccard / (1 + jaccard))).tolist()
        self._places = np.zeros(len(sets), np.int64)
        self._places[rows] = np.arange(len(rows))
        self._place = {row: place for place, row in enumerate(rows.tolist())}
        self._is_held = np.zeros(distinct, np.bool_)
        self._held, self._held_common = self._runs[:0], 0
        self.by_size: list[int] = rows[np.argsort(sizes, kind="stable")].tolist()
        """The rows, smallest first: those before a row are not larger."""

    def looked_up(self, row: int) -> list[int]:
        """Return the runs of a row by which smaller rows are found."""
        place = self._place[row]
        return [int(run) for run in self._runs[self._shared[place] : self._looked_up[place]]]

    def listed(self, row: int) -> list[int]:
        """Return the runs of a row by which larger rows find it."""
        place = self._place[row]
        return [int(run) for run in self._runs[self._shared[place] : self._listed[place]]]

    def hold(self, row: int) -> None:
        """Take a row in hand: `alike` compares others with it."""
        self._is_held[self._held] = False
        self._held = self._runs_of(row)
        place = self._place[row]
        self._held_common = self._starts[place + 1] - self._shared[place]
        self._is_held[self._held] = True

    def alike(self, row: int) -> float | None:
        """Return the Jaccard of a row and the one in hand, or None when it is below the threshold."""
        place = self._place[row]
        size, held = self._starts[place + 1] - self._starts[place], len(self._held)
        # No more than this can be shared; most pairs that are not alike end here.
        shared = min(self._starts[place + 1] - self._shared[place], self._held_common)
        if shared < self._jaccard * (size + held - shared) - _ROUNDING:
            return None
        runs = self._runs_of(row)
        shared = int(np.count_nonzero(self._is_held[runs]))
        jaccard = shared / (size + held - shared)
        return jaccard if jaccard >= self._jaccard else None

    def may_be_alike(self, row: int, others: Places) -> list[int]:
        """Return those of some rows that have enough runs in common with anybody to be alike to `row`, in their order.

        Notes
        -----
        What two rows share is at most what either shares with any row. One pass over an array, where comparing the
        sets takes thousands: for long lists of rows that differ in words of their own.
        """
        place, places = self._place[row], self._places[others]
        shared = np.minimum(self._common[place], self._common[places])
        enough = shared >= self._jaccard * (self._sizes[place] + self._sizes[places] - shared) - _ROUNDING
        found: list[int] = others[enough].tolist()
        return found

    def _runs_of(self, row: int) -> NDArray[np.int32]:
        place = self._place[row]
        runs: NDArray[np.int32] = self._runs[self._starts[place] : self._starts[place + 1]]
        return runs


def _first_runs(sizes: Places, share: float) -> Places:
    shared: Places = np.ceil(share * sizes - _ROUNDING).astype(np.int64)
    return sizes - shared + 1
