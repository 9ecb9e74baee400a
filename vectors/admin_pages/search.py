"""Searching by a stored item or by a vector, with an optional filter; and the map of a sample."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest, HttpResponse

from lakehouse_site.errors import InvalidInput, LakehouseError
from vectors.admin_pages.base import IndexAdmin, read_json, show, words_of
from vectors.index_map import MAX_POINTS, draw_map
from vectors.indexes import index_state
from vectors.models import VectorIndex
from vectors.queries import DEFAULT_K, parse_search
from vectors.search import Answer, search_index

MAX_K = 100


def search_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """A search form and the neighbours it found. Looks only, also where it is sent by POST: vectors are long."""
    sent = request.POST if request.method == "POST" else request.GET
    form = {name: sent.get(name, "") for name in ("id", "vector", "filter", "k")}
    answer, faults, milliseconds = None, [], 0.0
    if request.method == "POST" or form["id"]:
        started = time.perf_counter()
        try:
            answer = _search(index, form, exact="exact" in sent)
        except LakehouseError as error:
            faults = words_of(error)
        milliseconds = 1000 * (time.perf_counter() - started)
    context: dict[str, Any] = {"form": {**form, "k": form["k"] or DEFAULT_K, "exact": "exact" in sent}}
    context |= {"hits": answer.hits[0] if answer else None, "answer": answer, "faults": faults}
    return show(
        model_admin, request, index, "search", f"Search {index.name}", **context, milliseconds=milliseconds, max_k=MAX_K
    )


def map_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """A sample of the items as points of a plane, coloured by a key of their metadata."""
    key = request.GET.get("key") or None
    drawn = draw_map(state=index_state(name=index.name), key=key)
    title = f"Map of {index.name}"
    return show(model_admin, request, index, "map", title, map=drawn, max_points=MAX_POINTS)


def _search(index: VectorIndex, form: dict[str, str], *, exact: bool) -> Answer:
    body: dict[str, Any] = {"k": _k(form["k"]), "exact": exact, "filter": read_json(form["filter"], "filter")}
    if form["id"]:
        body["id"] = form["id"]
    if form["vector"].strip():
        body["vector"] = read_json(form["vector"], "vector")
    if "id" not in body and body.get("vector") is None:
        raise InvalidInput.at("", "required", "Type the id of an item, or paste a vector.")
    state = index_state(name=index.name)
    return search_index(state=state, query=parse_search(body, state.dimension, state.distance))


def _k(text: str) -> int:
    if not text:
        return DEFAULT_K
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_K):
        raise InvalidInput.at("/k", "range", f"Expected a whole number from 1 to {MAX_K}.")
    return int(text)
