"""Where a filter and a graph meet: which labels a filtered search has to look at.

The two follow the rows each for itself. An item whose vector changes between a look at the one and a look at the other
has a label in each that the other does not know, and would be in no answer, though it passed at every instant. So the
filter is looked at twice, and what has changed in between is added: labels are sequence numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vectors.breadth import is_few
from vectors.distances import Float32Rows
from vectors.filters import Filter
from vectors.graph_types import Candidates
from vectors.indexes import present_state
from vectors.replicas import replicas
from vectors.rows import IndexState
from vectors.tail import Labels, is_among

MAX_CHANGED = 2_000
"""More items that changed during a search are not looked at one by one; it is begun anew."""


@dataclass(frozen=True, slots=True)
class Passing:
    """What passes a filter as of `seq`: all `labels`, and those that may be nearest to each query.

    Without `candidates` all of them are to be measured.
    """

    labels: Labels
    candidates: list[Candidates] | None
    seq: int


def passing(state: IndexState, vectors: Float32Rows, k: int, wanted: Filter, *, exact: bool) -> Passing | None:
    """Return what a search has to look at; None when too much has changed meanwhile.

    Raises
    ------
    IndexNotFound
        The index was dropped meanwhile.
    """
    seen = replicas.matching(state, wanted)
    if exact or is_few(len(seen.labels), state.live_count, k, len(vectors)):
        return Passing(seen.labels, None, seen.seq)
    graph = replicas.current(replace(state, last_seq=seen.seq))  # so it knows all these labels, or later ones
    candidates = graph.search(vectors, k, seen.labels)
    if candidates is None:
        return Passing(seen.labels, None, seen.seq)
    now = present_state(state)
    if now.last_seq == seen.seq:
        return Passing(seen.labels, candidates, seen.seq)
    later = replicas.matching(now, wanted)
    changed = later.labels[later.labels.searchsorted(seen.seq, side="right") :]
    if len(changed) > MAX_CHANGED:
        return None
    candidates = [
        Candidates(np.concatenate((one.labels[is_among(one.labels, later.labels)], changed)), one.is_exact)
        for one in candidates
    ]
    return Passing(later.labels, candidates, later.seq)
