"""One search, end to end: graph proposes labels, rows decide.

Every candidate's row is read from the database and measured exactly. A candidate whose label is gone has been changed
or deleted since the graph saw it: then the graph catches up and is asked again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from lakehouse_site.errors import InvalidInput, ItemNotFound
from vectors import rows
from vectors.distances import Distance, Float32Rows, measure, prepare_wide
from vectors.diversity import choose
from vectors.exact import nearest, row_norms
from vectors.filtered import passing
from vectors.filters import Filter, matches, parse_metadata
from vectors.graph_types import Candidates
from vectors.indexes import index_state, present_state
from vectors.queries import Query
from vectors.replicas import replicas
from vectors.rows import HitRow, IndexState
from vectors.tail import Labels

logger = logging.getLogger(__name__)

MAX_REFILLS = 5
LABELS_PER_READ = 8_192
SCAN_PAGE_ROWS = 2_048
WIDE_COSINE_ERROR = 1e-11


class Hit(NamedTuple):
    """An item found. `metadata` is JSON text, `vector` little-endian float32 bytes."""

    key: str
    distance: float
    metadata: str | None
    vector: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Hits for each query vector, ascending by distance, then id.

    `is_exact` promises that no nearer item was missed. Every write up to `seq` has been seen.
    """

    hits: list[list[Hit]]
    is_exact: bool
    seq: int


class _BeyondGraph(Exception):
    """What is asked cannot be answered by a graph."""


class _Gone(Exception):
    """A label that should be there is not."""


def search_index(*, state: IndexState, query: Query) -> Answer:
    """Return the items nearest to the vectors of `query`.

    Raises
    ------
    IndexNotFound
        The index was dropped since `state` was read.
    ItemNotFound
        `query.by_id` names an item that is not there.
    """
    vectors, k = _targets(state, query)
    return _trimmed(_search(state, vectors, k, query), query, state.distance)


def quick_search(*, state: IndexState, query: Query) -> Answer | None:
    """Return the same as `search_index` where that takes a moment.

    None where it may take longer (rows have to be read one by one, or the index into memory), or where rows have
    changed meanwhile.
    """
    if query.exact or not replicas.is_ready(state, query.filter):
        return None
    vectors, k = _targets(state, query)
    try:
        answer = _attempt(state, vectors, k, query)
    except _BeyondGraph:
        return None
    return None if answer is None else _trimmed(answer, query, state.distance)


def search_indexes(*, states: Sequence[IndexState], query: Query) -> tuple[list[tuple[str, Hit]], bool]:
    """Return the nearest items of several indexes as (index name, hit), by distance, id, and name; and if exact."""
    answers = [(state.name, search_index(state=state, query=query)) for state in states]
    found = [(name, hit) for name, answer in answers for hit in answer.hits[0]]
    found.sort(key=lambda pair: (pair[1].distance, pair[1].key, pair[0]))
    return found[: query.k], all(answer.is_exact for _, answer in answers)


def comparable_states(*, names: Sequence[str]) -> list[IndexState]:
    """Return the states of several indexes.

    Raises
    ------
    IndexNotFound
        One does not exist.
    InvalidInput
        They differ in dimension or distance.
    """
    states = [index_state(name=name) for name in names]
    for i, state in enumerate(states):
        for what in ("dimension", "distance"):
            first, other = getattr(states[0], what), getattr(state, what)
            if first != other:
                detail = f"{state.name!r} has {what} {other}, {states[0].name!r} has {first}: search them one by one."
                raise InvalidInput.at(f"/indexes/{i}", f"{what}_mismatch", detail)
    return states


def _targets(state: IndexState, query: Query) -> tuple[Float32Rows, int]:
    """Return the vectors to search for, and how many hits are needed of each."""
    k = query.mmr.fetch_k if query.mmr else query.k
    if query.vectors is not None:
        return query.vectors, k
    return _vector_of(state, query.by_id or ""), k + 1


def _search(state: IndexState, vectors: Float32Rows, k: int, query: Query) -> Answer:
    for _ in range(MAX_REFILLS):
        try:
            answer = _attempt(state, vectors, k, query)
        except _BeyondGraph:
            break
        if answer is not None:
            return answer
        before, state = state, present_state(state)
        if state.last_seq == before.last_seq:
            # Nothing was written meanwhile, so the graph has a label that no row has. It cannot be trusted any more.
            logger.error("graph out of step with its rows, loaded anew", extra={"index": state.name})
            replicas.forget(state.id)
    # Asked for, or beyond the graph, or the nearest items change faster than a graph can follow.
    hits = _scan(state, vectors, k, query.filter)
    present_state(state)  # a drop meanwhile would have cut the scan short
    return Answer(hits, True, state.last_seq)


def _attempt(state: IndexState, vectors: Float32Rows, k: int, query: Query) -> Answer | None:
    """Search once; None when rows have changed since the graph saw them."""
    if query.filter is not None:
        return _search_among(state, vectors, k, query.filter, exact=query.exact)
    candidates = replicas.current(state).search(vectors, k)
    if candidates is None or (query.exact and not all(one.is_exact for one in candidates)):
        raise _BeyondGraph
    answer = _answer_from(state, vectors, k, candidates)
    # An index that should have items and shows none may have been dropped while it was loaded.
    return None if answer is not None and not answer.hits[0] and state.live_count else answer


def _search_among(state: IndexState, vectors: Float32Rows, k: int, wanted: Filter, *, exact: bool) -> Answer | None:
    """Search the items that pass a filter; None when rows have changed since the filter or the graph saw them."""
    found = passing(state, vectors, k, wanted, exact=exact)
    if found is None:
        return None
    state = replace(state, last_seq=found.seq)
    if found.candidates is not None:
        answer = _answer_from(state, vectors, k, found.candidates)
    else:
        measured = _measure_all(state, vectors, k, found.labels)
        answer = None if measured is None else Answer(measured, True, state.last_seq)
    if answer is None or any(len(hits) < min(k, len(found.labels)) for hits in answer.hits):
        return None
    still_pass = all(matches(wanted, parse_metadata(hit.metadata)) for hits in answer.hits for hit in hits)
    return answer if still_pass else None


def _answer_from(state: IndexState, vectors: Float32Rows, k: int, candidates: Sequence[Candidates]) -> Answer | None:
    hits = _read_hits(state, vectors, k, [one.labels for one in candidates])
    return None if hits is None else Answer(hits, all(one.is_exact for one in candidates), state.last_seq)


def _read_hits(
    state: IndexState, vectors: Float32Rows, k: int, labels: Sequence[np.ndarray[tuple[int], np.dtype[np.int64]]]
) -> list[list[Hit]] | None:
    """Return the nearest k of the labelled rows for each query, None when a label is gone."""
    found: list[list[Hit]] = []
    start = 0
    while start < len(labels):
        end, size = start + 1, len(labels[start])
        while end < len(labels) and size + len(labels[end]) <= LABELS_PER_READ:
            size += len(labels[end])
            end += 1
        wanted = labels[start].tolist() if end == start + 1 else np.unique(np.concatenate(labels[start:end])).tolist()
        read = {row.label: row for row in rows.hits(state.id, wanted)}
        if len(read) < len(wanted):
            return None
        for i in range(start, end):
            candidates = [read[label] for label in labels[i].tolist()]
            found.append(_rank(vectors[i], candidates, k, state.distance))
        start = end
    return found


def _rank(query: Float32Rows, candidates: Sequence[HitRow | Hit], k: int, distance: Distance) -> list[Hit]:
    if not candidates:
        return []
    matrix = np.frombuffer(b"".join([row.vector for row in candidates]), "<f4").reshape(len(candidates), -1)
    distances = measure(query, matrix, distance).tolist()
    hits = [Hit(row.key, far, row.metadata, row.vector) for far, row in zip(distances, candidates, strict=True)]
    hits.sort(key=lambda hit: (hit.distance, hit.key))
    return hits[:k]


def _scan(state: IndexState, vectors: Float32Rows, k: int, wanted: Filter | None) -> list[list[Hit]]:
    """Return the nearest k for each query by reading every row once."""

    def pages() -> Iterator[list[HitRow]]:
        cursor = ""
        while page := rows.live_after(state.id, cursor, SCAN_PAGE_ROWS, with_vector=True):
            cursor = page[-1].key
            yield [
                HitRow(0, row.key, row.metadata, row.vector or b"")
                for row in page
                if wanted is None or matches(wanted, parse_metadata(row.metadata))
            ]

    return _nearest_of(pages(), vectors, k, state.distance)


def _measure_all(state: IndexState, vectors: Float32Rows, k: int, labels: Labels) -> list[list[Hit]] | None:
    """Return the nearest k of the rows with these labels for each query, None when a label is gone."""

    def pages() -> Iterator[list[HitRow]]:
        for start in range(0, len(labels), SCAN_PAGE_ROWS):
            chosen = labels[start : start + SCAN_PAGE_ROWS].tolist()
            page = rows.hits(state.id, chosen)
            if len(page) < len(chosen):
                raise _Gone
            yield page

    try:
        return _nearest_of(pages(), vectors, k, state.distance)
    except _Gone:
        return None


def _nearest_of(pages: Iterable[Sequence[HitRow]], vectors: Float32Rows, k: int, distance: Distance) -> list[list[Hit]]:
    """Return the nearest k of all rows for each query, measured in float64."""
    queries = prepare_wide(vectors, distance)
    slack = WIDE_COSINE_ERROR if distance == "cosine" else 0.0
    best: list[list[Hit]] = [[] for _ in vectors]
    for page in pages:
        if not page:
            continue
        raw = np.frombuffer(b"".join([row.vector for row in page]), "<f4").reshape(len(page), -1)
        wide = prepare_wide(raw, distance)
        for i, near in enumerate(nearest(queries, wide, row_norms(wide), k, distance, slack)):
            fresh = [page[position] for position in near.positions.tolist()]
            best[i] = _rank(vectors[i], [*best[i], *fresh], k, distance)
    return best


def _vector_of(state: IndexState, key: str) -> Float32Rows:
    row = rows.live_by_key(state.id, [key], with_vector=True).get(key)
    if row is None or row.vector is None:
        raise ItemNotFound(state.name, key)
    return np.frombuffer(row.vector, "<f4").reshape(1, -1).astype(np.float32, copy=False)


def _trimmed(answer: Answer, query: Query, distance: Distance) -> Answer:
    return Answer([_trim(hits, query, distance) for hits in answer.hits], answer.is_exact, answer.seq)


def _trim(hits: list[Hit], query: Query, distance: Distance) -> list[Hit]:
    if query.by_id is not None:
        hits = [hit for hit in hits if hit.key != query.by_id]
    if query.max_distance is not None:
        hits = [hit for hit in hits if hit.distance <= query.max_distance]
    if query.mmr is not None and hits:
        hits = hits[: query.mmr.fetch_k]
        vectors = np.frombuffer(b"".join([hit.vector for hit in hits]), "<f4").reshape(len(hits), -1)
        far = np.array([hit.distance for hit in hits])
        return [hits[i] for i in choose(vectors, far, query.k, query.mmr.relevance, distance).tolist()]
    return hits[: query.k]
