"""The items of an index: pages of them, and one with its neighbours."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import numpy as np
from django.http import HttpRequest, HttpResponse

from lakehouse_site.errors import ItemNotFound, LakehouseError
from vectors.admin_pages.base import IndexAdmin, read_json, show, words_of
from vectors.indexes import index_state
from vectors.items import count_items, fetch_items, list_items, list_matching
from vectors.models import VectorIndex
from vectors.projection import summarise
from vectors.queries import Query
from vectors.rows import IndexState
from vectors.search import search_index
from vectors.validation import parse_count

PAGE_ITEMS = 50


def items_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """A page of the items, all or those that pass a filter."""
    text, cursor = request.GET.get("filter", ""), request.GET.get("cursor") or None
    context: dict[str, Any] = {"filter": text, "items": [], "next_query": "", "is_first": cursor is None}
    try:
        context |= _page(index_state(name=index.name), text, cursor)
    except LakehouseError as error:
        context["faults"] = words_of(error)
    return show(model_admin, request, index, "items", f"Items of {index.name}", **context)


def _page(state: IndexState, text: str, cursor: str | None) -> dict[str, Any]:
    wanted = parse_count({"filter": read_json(text, "filter")})
    found: list[Any]
    if wanted is None:
        found, after = list_items(state=state, cursor=cursor, limit=PAGE_ITEMS, include=("metadata",))
    else:
        found, after = list_matching(state=state, wanted=wanted, cursor=cursor, limit=PAGE_ITEMS)
    query = {"cursor": after} | ({"filter": text} if wanted else {})
    count = count_items(state=state, wanted=wanted)
    return {"items": found, "count": count, "next_query": urlencode(query) if after else ""}


def item_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """One item: its metadata, its vector in short, and what lies nearest to it."""
    key, state = request.GET.get("id", ""), index_state(name=index.name)
    found, _ = fetch_items(state=state, keys=[key] if "\0" not in key else [], include=("metadata", "vector"))
    if not found:
        raise ItemNotFound(index.name, key)
    answer = search_index(state=state, query=Query(None, by_id=key))
    vector = summarise(np.frombuffer(found[0].vector or b"", "<f4"))
    metadata = pretty(found[0].metadata)
    context = {"key": key, "metadata": metadata, "vector": vector, "hits": answer.hits[0]}
    return show(model_admin, request, index, "item", f"Item {key}", **context, key_query=urlencode({"id": key}))


def pretty(metadata: str | None) -> str | None:
    """Return metadata as JSON over several lines; as it is stored where that cannot be done."""
    if metadata is None:
        return None
    try:
        parsed = json.loads(metadata)
        text = json.dumps(parsed, indent=2, ensure_ascii=False)
        return text if text.isascii() or _has_bytes(text) else json.dumps(parsed, indent=2)
    except (ValueError, RecursionError):  # thousands of digits, or of levels
        return metadata


def _has_bytes(text: str) -> bool:
    """Return whether text can be sent: a lone surrogate cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
