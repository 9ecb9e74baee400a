"""Request bodies of the index service: from parsed JSON to dataclasses, or every fault with its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lakehouse_site.errors import InvalidInput, TooLarge
from vectors.batches import Batch, VectorReader, parse_batch
from vectors.distances import DISTANCES, Distance, Float32Rows
from vectors.fields import Fields

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

MAX_DIMENSION = 16_384
MAX_M = 512
MAX_EF = 10_000
DEFAULT_M, DEFAULT_EF_CONSTRUCTION, DEFAULT_EF_SEARCH = 16, 200, 64
MAX_K, DEFAULT_K = 1_000, 10
MAX_QUERIES = 1_000
MAX_HITS = 100_000
"""Limit of `k` times the number of query vectors: what one answer may have to hold."""

INCLUDE = ("metadata", "vector")

OnConflict = Literal["skip", "overwrite", "error"]
ON_CONFLICT: tuple[OnConflict, ...] = ("skip", "overwrite", "error")

INDEX_FIELDS = ("name", "dimension", "distance", "m", "ef_construction", "ef_search")
ADD_FIELDS = ("items",)
TARGET_FIELDS = ("vector", "vectors", "vector_b64", "id")
SEARCH_FIELDS = (*TARGET_FIELDS, "k", "exact", "include", "max_distance")
FETCH_FIELDS = ("ids", "include")
DELETE_FIELDS = ("ids",)
MERGE_FIELDS = ("dest", "clear_source", "on_conflict", "dry_run")
MULTI_SEARCH_FIELDS = ("indexes", "vector", "vector_b64", "k", "exact", "include", "max_distance")


@dataclass(frozen=True, slots=True)
class NewIndex:
    name: str
    dimension: int
    distance: Distance = "cosine"
    m: int = DEFAULT_M
    ef_construction: int = DEFAULT_EF_CONSTRUCTION
    ef_search: int = DEFAULT_EF_SEARCH


@dataclass(frozen=True, slots=True)
class Query:
    """A search.

    Attributes
    ----------
    vectors
        Shape (b, d), float32; None when `by_id` names the item whose vector is meant.
    is_batch
        Whether the caller sent ``vectors`` and so expects a list of lists.
    """

    vectors: Float32Rows | None
    by_id: str | None = None
    is_batch: bool = False
    k: int = DEFAULT_K
    exact: bool = False
    include: frozenset[str] = frozenset({"metadata"})
    max_distance: float | None = None


@dataclass(frozen=True, slots=True)
class Merge:
    dest: str
    clear_source: bool = False
    on_conflict: OnConflict = "skip"
    dry_run: bool = False


def parse_new_index(body: object) -> NewIndex:
    """Return what ``POST /index`` asks for."""
    fields = Fields(body, INDEX_FIELDS)
    name = fields.text("name")
    if name and not NAME.fullmatch(name):
        detail = "A name has 1 to 128 of the characters A-Z a-z 0-9 . _ - and starts with a letter or a digit."
        fields.fault("name", "name", detail)
    elif not name and not fields.faults:
        fields.fault("name", "name", "The name is empty.")
    new = NewIndex(
        name,
        fields.integer("dimension", 1, MAX_DIMENSION),
        fields.choice("distance", DISTANCES, "cosine"),
        fields.integer("m", 2, MAX_M, DEFAULT_M),
        fields.integer("ef_construction", 1, MAX_EF, DEFAULT_EF_CONSTRUCTION),
        fields.integer("ef_search", 1, MAX_EF, DEFAULT_EF_SEARCH),
    )
    fields.check()
    return new


def parse_nothing(body: object) -> None:
    """Refuse a body with fields where a call takes none."""
    if body:
        Fields(body, ()).check()


def parse_add(body: object, dimension: int, distance: Distance, max_items: int) -> Batch:
    """Return the items of ``POST /index/{name}/add``."""
    fields = Fields(body, ADD_FIELDS)
    items = fields.raw("items")
    if type(items) is not list:
        fields.fault("items", "type" if fields.has("items") else "required", "Expected an array of items.")
        fields.check()
    fields.check()
    refuse_large_batch(len(items), max_items)
    return parse_batch(items, dimension, distance)


def refuse_large_batch(count: int, most: int) -> None:
    """Raise `TooLarge` when a batch has more than `most` items."""
    if count > most:
        raise TooLarge(
            f"{count} items are more than the {most} of one batch. Send several batches, or raise "
            "LAKEHOUSE_MAX_BATCH_ITEMS."
        )


def parse_search(body: object, dimension: int, distance: Distance) -> Query:
    """Return the search of ``POST /index/{name}/search``."""
    fields = Fields(body, SEARCH_FIELDS)
    given = [name for name in TARGET_FIELDS if fields.has(name)]
    if len(given) != 1:
        detail = f"Send exactly one of {', '.join(TARGET_FIELDS)}"
        fields.fault(given[1] if given else "vector", "ambiguous" if given else "required", f"{detail}.")
    k = fields.integer("k", 1, MAX_K, DEFAULT_K)
    options = _search_options(fields)
    fields.check()
    if given == ["id"]:
        key = fields.key("id")
        fields.check()
        return Query(None, by_id=key, k=k, **options)
    targets = fields.raw("vectors") if given == ["vectors"] else [fields.raw(given[0])]
    _refuse_large_search(fields, targets, k)
    vectors = _query_vectors(given[0], targets, dimension, distance)
    return Query(vectors, is_batch=given == ["vectors"], k=k, **options)


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
    options = _search_options(fields)
    fields.check()
    return Query(_query_vectors(given[0], [fields.raw(given[0])], dimension, distance), k=k, **options)


def parse_fetch(body: object, max_items: int) -> tuple[list[str], frozenset[str]]:
    """Return ids and fields of ``POST /index/{name}/fetch``."""
    fields = Fields(body, FETCH_FIELDS)
    keys = fields.keys("ids", max_items)
    include = fields.subset("include", INCLUDE, INCLUDE)
    fields.check()
    return keys, include


def parse_delete(body: object, max_items: int) -> list[str]:
    """Return the ids of ``POST /index/{name}/delete``."""
    fields = Fields(body, DELETE_FIELDS)
    keys = fields.keys("ids", max_items)
    fields.check()
    return keys


def parse_merge(body: object) -> Merge:
    """Return what ``POST /index/{src}/merge`` asks for."""
    fields = Fields(body, MERGE_FIELDS)
    merge = Merge(
        fields.text("dest"),
        fields.boolean("clear_source", False),
        fields.choice("on_conflict", ON_CONFLICT, "skip"),
        fields.boolean("dry_run", False),
    )
    fields.check()
    return merge


def parse_include(words: Sequence[str]) -> frozenset[str]:
    """Return the fields that ``?include=`` of a listing names."""
    fields = Fields({"include": list(words)}, ("include",))
    include = fields.subset("include", INCLUDE, ())
    fields.check()
    return include


def _search_options(fields: Fields) -> dict[str, Any]:
    return {
        "exact": fields.boolean("exact", False),
        "include": fields.subset("include", INCLUDE, ("metadata",)),
        "max_distance": fields.number("max_distance"),
    }


def _refuse_large_search(fields: Fields, targets: object, k: int) -> None:
    if type(targets) is not list or not targets:
        fields.fault("vectors", "type", "Expected an array of at least one vector.")
    elif len(targets) > MAX_QUERIES:
        fields.fault("vectors", "too_many", f"{len(targets)} vectors are more than the {MAX_QUERIES} of one call.")
    elif len(targets) * k > MAX_HITS:
        detail = f"{len(targets)} vectors with k = {k} are more than {MAX_HITS} hits; send several calls."
        fields.fault("vectors", "too_many", detail)
    fields.check()


def _query_vectors(field: str, targets: Sequence[object], dimension: int, distance: Distance) -> Float32Rows:
    reader = VectorReader(dimension, distance)
    for i, target in enumerate(targets):
        pointer = f"/vectors/{i}" if field == "vectors" else f"/{field}"
        if field == "vector_b64":
            reader.base64(i, pointer, target)
        else:
            reader.numbers(i, pointer, target)
    vectors = reader.matrix(len(targets))
    if reader.faults:
        raise InvalidInput(reader.faults)
    return vectors
