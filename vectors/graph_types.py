"""What goes into a graph and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vectors.distances import Distance
from vectors.tail import Labels


@dataclass(frozen=True, slots=True)
class GraphParams:
    """What shapes a graph: fixed when the index is created."""

    dimension: int
    distance: Distance
    m: int
    ef_construction: int
    ef_search: int


@dataclass(frozen=True, slots=True)
class Changes:
    """The present state of n rows, in columns: n objects would be work for the garbage collector.

    Attributes
    ----------
    rows, labels, deleted
        n row ids, labels, and whether each is a tombstone (bool, or 0 and 1).
    last_seq
        The highest sequence number among them, 0 for none.
    vectors
        Little-endian float32 of the rows that are not deleted, one after the other.
    """

    rows: Sequence[int]
    last_seq: int
    labels: Sequence[int]
    deleted: Sequence[bool | int]
    vectors: bytes

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Labels that may be nearest to one query, and whether none of the true k nearest can be missing."""

    labels: Labels
    is_exact: bool
