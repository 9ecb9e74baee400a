"""Request bodies of the index service: from parsed JSON to dataclasses, or every fault with its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lakehouse_site.errors import InvalidInput, TooLarge
from vectors.batches import Batch, parse_batch
from vectors.distances import DISTANCES, Distance
from vectors.fields import Fields
from vectors.filters import Filter, parse_filter, paths
from vectors.patches import PATCH_FIELDS, Patch, parse_patches
from vectors.queries import INCLUDE, optional_filter

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

MAX_DIMENSION = 16_384
MAX_M = 512
MAX_EF = 10_000
DEFAULT_M, DEFAULT_EF_CONSTRUCTION, DEFAULT_EF_SEARCH = 16, 200, 64
OnConflict = Literal["skip", "overwrite", "error"]
ON_CONFLICT: tuple[OnConflict, ...] = ("skip", "overwrite", "error")

INDEX_FIELDS = ("name", "dimension", "distance", "m", "ef_construction", "ef_search")
ADD_FIELDS = ("items",)
FETCH_FIELDS = ("ids", "include")
DELETE_FIELDS = ("ids", "filter")
COUNT_FIELDS = ("filter",)
MERGE_FIELDS = ("dest", "clear_source", "on_conflict", "dry_run")


@dataclass(frozen=True, slots=True)
class NewIndex:
    name: str
    dimension: int
    distance: Distance = "cosine"
    m: int = DEFAULT_M
    ef_construction: int = DEFAULT_EF_CONSTRUCTION
    ef_search: int = DEFAULT_EF_SEARCH


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


def parse_fetch(body: object, max_items: int) -> tuple[list[str], frozenset[str]]:
    """Return ids and fields of ``POST /index/{name}/fetch``."""
    fields = Fields(body, FETCH_FIELDS)
    keys = fields.keys("ids", max_items)
    include = fields.subset("include", INCLUDE, INCLUDE)
    fields.check()
    return keys, include


def parse_delete(body: object, max_items: int) -> list[str] | Filter:
    """Return the ids, or the filter, of ``POST /index/{name}/delete``."""
    fields = Fields(body, DELETE_FIELDS)
    if fields.has("ids") and fields.has("filter"):
        fields.fault("filter", "ambiguous", "Send either ids or a filter, not both.")
    elif not fields.has("filter"):
        keys = fields.keys("ids", max_items)
        fields.check()
        return keys
    fields.check()
    wanted = parse_filter(fields.raw("filter"))
    if not paths(wanted):
        detail = "A filter without a condition means every item. DELETE the index and create it anew, or say what goes."
        raise InvalidInput.at("/filter", "empty", detail)
    return wanted


def parse_patch(body: object, max_items: int) -> list[Patch]:
    """Return the changes of ``PATCH /index/{name}/items``."""
    fields = Fields(body, PATCH_FIELDS)
    items = fields.raw("items")
    if type(items) is not list:
        fields.fault("items", "type" if fields.has("items") else "required", "Expected an array of items.")
    fields.check()
    refuse_large_batch(len(items), max_items)
    return parse_patches(items)


def parse_count(body: object) -> Filter | None:
    """Return the filter of ``POST /index/{name}/count``, None for all items."""
    fields = Fields(body, COUNT_FIELDS)
    wanted = optional_filter(fields)
    fields.check()
    return wanted


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
