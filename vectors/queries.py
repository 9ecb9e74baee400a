"""Searches, from parsed JSON to arrays and options, or all their faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lakehouse_site.errors import InvalidInput
from vectors.batches import VectorReader
from vectors.distances import Distance, Float32Rows
from vectors.fields import Fields
from vectors.filters import Filter, parse_filter

MAX_K, DEFAULT_K = 1_000, 10
DEFAULT_RELEVANCE, DEFAULT_FETCH_K = 0.5, 50
MAX_QUERIES = 1_000
MAX_HITS = 100_000
"""Limit of `k` times the number of query vectors: what one answer may have to hold."""

DEFAULT_NUM, MAX_RECALL_HITS = 25, 10_000
"""Of a measurement of recall, each query of which is also answered by reading every row."""

INCLUDE = ("metadata", "vector")

TARGET_FIELDS = ("vector", "vectors", "vector_b64", "vectors_b64", "id")
BATCH_FIELDS = ("vectors", "vectors_b64")
SEARCH_OPTIONS = ("k", "filter", "exact", "include", "max_distance", "mmr")
SEARCH_FIELDS = (*TARGET_FIELDS, *SEARCH_OPTIONS)
MMR_FIELDS = ("lambda", "fetch_k")
MULTI_SEARCH_FIELDS = ("indexes", "vector", "vector_b64", *(name for name in SEARCH_OPTIONS if name != "mmr"))
RECALL_FIELDS = ("num", "k")
DUPLICATES_FIELDS = ("threshold",)


@dataclass(frozen=True, slots=True)
class Mmr:
    """Maximal marginal relevance.

    Attributes
    ----------
    relevance
        The `lambda` of the paper: 1 only the distance to the query counts, 0 only that to the hits before.
    fetch_k
        How many nearest items the k are chosen from.
    """

    relevance: float
    fetch_k: int


@dataclass(frozen=True, slots=True)
class Query:
    """A search.

    Attributes
    ----------
    vectors
        Shape (b, d), float32; None when `by_id` names the item whose vector is meant.
    is_batch
        Whether the caller sent several vectors and so expects a list of lists.
    """

    vectors: Float32Rows | None
    by_id: str | None = None
    is_batch: bool = False
    k: int = DEFAULT_K
    exact: bool = False
    include: frozenset[str] = frozenset({"metadata"})
    max_distance: float | None = None
    filter: Filter | None = None
    mmr: Mmr | None = None


def parse_search(body: object, dimension: int, distance: Distance) -> Query:
    """Return the search of ``POST /index/{name}/search``."""
    fields = Fields(body, SEARCH_FIELDS)
    given = [name for name in TARGET_FIELDS if fields.has(name)]
    if len(given) != 1:
        detail = f"Send exactly one of {', '.join(TARGET_FIELDS)}"
        fields.fault(given[1] if given else "vector", "ambiguous" if given else "required", f"{detail}.")
    k = fields.integer("k", 1, MAX_K, DEFAULT_K)
    options = _search_options(fields, k)
    fields.check()
    if given == ["id"]:
        key = fields.key("id")
        fields.check()
        return Query(None, by_id=key, k=k, **options)
    is_batch = given[0] in BATCH_FIELDS
    targets = fields.raw(given[0]) if is_batch else [fields.raw(given[0])]
    _refuse_large_search(fields, given[0], targets, k)
    vectors = _query_vectors(given[0], targets, dimension, distance)
    return Query(vectors, is_batch=is_batch, k=k, **options)


def parse_multi_search(body: object, most_indexes: int) -> tuple[list[str], Fields]:
    """Return the names of ``POST /search``; `finish_multi_search` reads the rest once the indexes are known."""
    fields = Fields(body, MULTI_SEARCH_FIELDS)
    names = fields.raw("indexes")
    if type(names) is not list or not names or not all(type(name) is str for name in names):
        fields.fault("indexes", "type", "Expected an array of at least one index name.")
    elif len(names) > most_indexes:
        fields.fault("indexes", "too_many", f"At most {most_indexes} indexes can be searched at once.")
    fields.check()
    return list(dict.fromkeys(names)), fields


def finish_multi_search(fields: Fields, dimension: int, distance: Distance) -> Query:
    """Return the search of ``POST /search`` over indexes of this dimension and distance."""
    given = [name for name in ("vector", "vector_b64") if fields.has(name)]
    if len(given) != 1:
        fields.fault("vector", "ambiguous" if given else "required", "Send exactly one of vector, vector_b64.")
    k = fields.integer("k", 1, MAX_K, DEFAULT_K)
    options = _search_options(fields, k)
    fields.check()
    return Query(_query_vectors(given[0], [fields.raw(given[0])], dimension, distance), k=k, **options)


def parse_recall(body: object) -> tuple[int, int]:
    """Return the number of queries and of neighbours of ``POST /index/{name}/recall``."""
    fields = Fields(body, RECALL_FIELDS)
    num, k = fields.integer("num", 1, MAX_QUERIES, DEFAULT_NUM), fields.integer("k", 1, MAX_K, DEFAULT_K)
    if num * k > MAX_RECALL_HITS and not fields.faults:
        detail = f"{num} vectors with k = {k} are more than the {MAX_RECALL_HITS} neighbours of one measurement."
        fields.fault("num", "too_many", detail)
    fields.check()
    return num, k


def parse_duplicates(body: object) -> float:
    """Return the distance of ``POST /index/{name}/duplicates`` up to which items are duplicates."""
    fields = Fields(body, DUPLICATES_FIELDS)
    threshold = fields.number("threshold")
    if threshold is None and not fields.faults:
        fields.fault("threshold", "required", "This field is required: the distance up to which items are duplicates.")
    fields.check()
    return float(threshold or 0.0)


def _search_options(fields: Fields, k: int) -> dict[str, Any]:
    return {
        "exact": fields.boolean("exact", False),
        "include": fields.subset("include", INCLUDE, ("metadata",)),
        "max_distance": fields.number("max_distance"),
        "filter": optional_filter(fields),
        "mmr": _mmr(fields, k),
    }


def optional_filter(fields: Fields) -> Filter | None:
    """Return the field `filter`, None when it is absent; its faults become faults of the fields."""
    if not fields.has("filter"):
        return None
    try:
        return parse_filter(fields.raw("filter"))
    except InvalidInput as error:
        fields.faults.extend(error.faults)
        return None


def _mmr(fields: Fields, k: int) -> Mmr | None:
    if not fields.has("mmr"):
        return None
    if any(fields.has(name) for name in BATCH_FIELDS):
        fields.fault("mmr", "ambiguous", "Diversity is for one query; send the vectors one by one.")
    try:
        inner = Fields(fields.raw("mmr"), MMR_FIELDS, "/mmr")
    except InvalidInput as error:
        fields.faults.extend(error.faults)
        return None
    relevance = inner.number("lambda") if inner.has("lambda") else DEFAULT_RELEVANCE
    fetch_k = inner.integer("fetch_k", 1, MAX_K, min(MAX_K, max(DEFAULT_FETCH_K, 4 * k)))
    if relevance is not None and not 0 <= relevance <= 1:
        inner.fault("lambda", "range", f"{relevance} is outside 0 to 1.")
    if fetch_k < k and not inner.faults:
        inner.fault("fetch_k", "range", f"It has to be at least k, which is {k}.")
    fields.faults.extend(inner.faults)
    return Mmr(relevance or 0.0, fetch_k)


def _refuse_large_search(fields: Fields, name: str, targets: object, k: int) -> None:
    if type(targets) is not list or not targets:
        fields.fault(name, "type", "Expected an array of at least one vector.")
    elif len(targets) > MAX_QUERIES:
        fields.fault(name, "too_many", f"{len(targets)} vectors are more than the {MAX_QUERIES} of one call.")
    elif len(targets) * k > MAX_HITS:
        detail = f"{len(targets)} vectors with k = {k} are more than {MAX_HITS} hits; send several calls."
        fields.fault(name, "too_many", detail)
    fields.check()


def _query_vectors(field: str, targets: Sequence[object], dimension: int, distance: Distance) -> Float32Rows:
    reader = VectorReader(dimension, distance)
    for i, target in enumerate(targets):
        pointer = f"/{field}/{i}" if field in BATCH_FIELDS else f"/{field}"
        if field.endswith("_b64"):
            reader.base64(i, pointer, target)
        else:
            reader.numbers(i, pointer, target)
    vectors = reader.matrix(len(targets))
    if reader.faults:
        raise InvalidInput(reader.faults)
    return vectors
