"""What calls return: frozen dataclasses, read from the server's JSON.

Fields of an answer that a class does not know are dropped, so a newer server does no harm. Vectors are always tuples
of Python floats, with and without numpy; converted to float32 they are exactly what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from lakehouse_client.reading import convert, each, numbers, read, time

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Vector: TypeAlias = "Sequence[float] | npt.NDArray[np.floating[Any]] | npt.NDArray[np.integer[Any]]"
"""Shape (dimension,): a sequence of numbers, or a numpy array of floats or integers. Sent as float32."""


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """The newest file of an index in object storage.

    Attributes
    ----------
    seq
        Every write up to it is in the file.
    bytes
        Size of the file.
    error
        Why the last attempt to write one failed; None when it did not.
    """

    seq: int | None = None
    bytes: int | None = None
    created_at: datetime | None = field(default=None, metadata=convert(time))
    error: str | None = None


def _maybe_snapshot(value: object) -> SnapshotInfo | None:
    return None if value is None else read(SnapshotInfo, value)


@dataclass(frozen=True, slots=True)
class RecallResult:
    """How much of the true nearest a search of the graph finds.

    Attributes
    ----------
    recall
        0 to 1: the share of the true `k` nearest, over `num` stored vectors.
    ann_ms, exact_ms
        Milliseconds per search, of the graph and of the exact one.
    """

    recall: float
    num: int
    k: int
    ann_ms: float | None = None
    exact_ms: float | None = None
    measured_at: datetime | None = field(default=None, metadata=convert(time))


def _maybe_recall(value: object) -> RecallResult | None:
    return None if value is None else read(RecallResult, value)


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """An index: its parameters, number of items, and the sequence number of its last write.

    Attributes
    ----------
    recall
        The last measurement, None without one.
    warnings
        Sentences: what is wrong with the index, and what to do about it.
    """

    name: str
    dimension: int
    distance: str
    m: int
    ef_construction: int
    ef_search: int
    count: int
    seq: int
    created_at: datetime = field(metadata=convert(time))
    updated_at: datetime = field(metadata=convert(time))
    snapshot: SnapshotInfo | None = field(default=None, metadata=convert(_maybe_snapshot))
    recall: RecallResult | None = field(default=None, metadata=convert(_maybe_recall))
    warnings: tuple[str, ...] = field(default=(), metadata=convert(tuple))


@dataclass(frozen=True, slots=True)
class IndexPage:
    """A page of a listing; `next` is None on the last."""

    results: tuple[IndexInfo, ...] = field(metadata=convert(each(IndexInfo)))
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A stored item, and what `Index.add` takes.

    Attributes
    ----------
    id
        1 to 512 characters.
    vector
        As stored: `dimension` floats; None when it was not asked for. To add: also a numpy array of shape (dimension,).
    metadata
        Any JSON object, or None. To add: None leaves what is stored, ``{}`` clears it.
    """

    id: str
    vector: Vector | None = field(default=None, metadata=convert(numbers))
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that a search found; the smaller `distance`, the nearer. `vector` and `metadata` as in `Item`."""

    id: str
    distance: float
    metadata: Mapping[str, Any] | None = None
    vector: tuple[float, ...] | None = field(default=None, metadata=convert(numbers))


@dataclass(frozen=True, slots=True)
class IndexHit:
    """An item that a search over several indexes found in `index`."""

    index: str
    id: str
    distance: float
    metadata: Mapping[str, Any] | None = None
    vector: tuple[float, ...] | None = field(default=None, metadata=convert(numbers))


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of one query, nearest first; equal distances are ordered by id.

    Attributes
    ----------
    exact
        True promises that nothing nearer was missed.
    seq
        Every write up to it was seen.
    """

    hits: tuple[Hit, ...] = field(metadata=convert(each(Hit), name="results"))
    exact: bool = False
    seq: int | None = None


def _hits(queries: Sequence[Sequence[object]]) -> tuple[tuple[Hit, ...], ...]:
    return tuple(map(each(Hit), queries))


@dataclass(frozen=True, slots=True)
class SearchManyResult:
    """The hits of many queries, in their order; `exact` and `seq` as in `SearchResult`, for all of them."""

    results: tuple[tuple[Hit, ...], ...] = field(metadata=convert(_hits))
    exact: bool = False
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class MultiSearchResult:
    """The hits of one query in several indexes, nearest first."""

    hits: tuple[IndexHit, ...] = field(metadata=convert(each(IndexHit), name="results"))
    exact: bool = False


@dataclass(frozen=True, slots=True)
class AddResult:
    """What adding did; over several batches the first two are sums and the others those of the last batch.

    A batch whose first answer was lost is sent again and then counts as `updated`.

    Attributes
    ----------
    added, updated
        Items that were new, and that were there already.
    count
        Items now in the index.
    seq
        Sequence number of the write.
    """

    added: int
    updated: int
    count: int
    seq: int


@dataclass(frozen=True, slots=True)
class FetchResult:
    """Items in the order asked for, and the ids that are not there."""

    items: tuple[Item, ...] = field(metadata=convert(each(Item)))
    missing: tuple[str, ...] = field(metadata=convert(tuple))


@dataclass(frozen=True, slots=True)
class DeleteResult:
    """How many items are gone, and the ids that were not there.

    A batch whose first answer was lost is sent again: what the lost call deleted then counts as missing.
    """

    deleted: int
    missing: tuple[str, ...] = field(default=(), metadata=convert(tuple))
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """How many items have new metadata, and the ids that were not there."""

    updated: int
    missing: tuple[str, ...] = field(default=(), metadata=convert(tuple))
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class MergeResult:
    """Counts of items; after a lost answer, those of the last run. In a dry run they tell what would be done."""

    source: str
    dest: str
    scanned: int
    added: int
    overwritten: int
    skipped: int
    deleted: int
    source_count: int
    dest_count: int


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Items of which each is near another one of the group; `max_distance` is the longest link that was found."""

    ids: tuple[str, ...] = field(metadata=convert(tuple))
    max_distance: float


@dataclass(frozen=True, slots=True)
class DuplicatesResult:
    """Groups of near-duplicates, the largest first; `scanned` items were looked at."""

    groups: tuple[DuplicateGroup, ...] = field(metadata=convert(each(DuplicateGroup)))
    scanned: int


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the server can work; if not, why."""

    is_ready: bool
    detail: str = ""
