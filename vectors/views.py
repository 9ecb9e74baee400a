"""The HTTP face of the index service: read the body, call one service or selector, shape the answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lakehouse_site.access.permissions import index_visible, require_index
from lakehouse_site.errors import InvalidInput
from lakehouse_site.http import BinaryBody, BinaryParser, body_with_exact_integers, has_long_number
from lakehouse_site.pagination import Pages
from vectors import (
    arrow_stream,
    batches,
    duplicates,
    indexes,
    items,
    merge,
    queries,
    recall,
    search,
    snapshots,
    validation,
    writes,
)
from vectors.answers import hit_fields, item_fields, search_answer
from vectors.filters import has_huge_number
from vectors.form_examples import fit_example
from vectors.openapi import describes

MAX_SEARCHED_INDEXES = 64


class VectorsView(APIView):
    """What a caller needs for each method; see `lakehouse_site.access.permissions`."""

    django_permissions: ClassVar[dict[str, str]] = {
        "read": "vectors.view_vectorindex",
        "write": "vectors.change_vectorindex",
        "admin": "vectors.delete_vectorindex",
    }

    def fit_example(self, example: dict[str, Any]) -> dict[str, Any]:
        """Fit the example of the page's form to the index in the path."""
        name = self.kwargs.get("name")
        return fit_example(example, name) if name else example


class IndexesView(VectorsView):
    """Named vector indexes."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": "read", "POST": "write"}
    pagination_class = Pages

    @describes("index_list")
    def get(self, request: Request) -> Response:
        found = indexes.list_indexes()
        visible = index_visible(request)
        if visible is not None:
            found = found.filter(name__in=[name for name in found.values_list("name", flat=True) if visible(name)])
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(found, request, view=self) or []
        return paginator.get_paginated_response([asdict(info) for info in indexes.describe_all(page)])

    @describes("index_create")
    def post(self, request: Request) -> Response:
        new = validation.parse_new_index(request.data)
        require_index(request, new.name)
        return Response(asdict(indexes.create_index(new=new)), status=201)


class IndexView(VectorsView):
    """One index: its parameters, number of items, and the sequence number of its last write."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": "read", "DELETE": "admin"}

    @describes("index_get")
    def get(self, request: Request, name: str) -> Response:
        return Response(asdict(indexes.index_info(name=name)))

    @describes("index_delete")
    def delete(self, request: Request, name: str) -> Response:
        indexes.drop_index(name=name)
        return Response(status=204)


class ArrowParser(BinaryParser):
    media_type = arrow_stream.MEDIA_TYPE


class AddView(VectorsView):
    """Add items or replace their vectors: all of a batch or nothing. As JSON or as an Arrow IPC stream."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "write"}
    parser_classes = (*VectorsView.parser_classes, ArrowParser)

    @describes("add")
    def post(self, request: Request, name: str) -> Response:
        state = indexes.index_state(name=name)
        most = settings.LAKEHOUSE_MAX_BATCH_ITEMS
        body: Any = request.data
        if isinstance(body, BinaryBody):
            batch = arrow_stream.parse_stream(body.content, state.dimension, state.distance, most)
            return Response(asdict(writes.add_items(state=state, batch=batch)))
        batch = validation.parse_add(request.data, state.dimension, state.distance, most)
        if batches.has_huge_number(batch):
            batch = validation.parse_add(body_with_exact_integers(request), state.dimension, state.distance, most)
        return Response(asdict(writes.add_items(state=state, batch=batch)))


class SearchView(VectorsView):
    """The items nearest to one or several vectors, or to a stored item."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "read"}

    @describes("search")
    def post(self, request: Request, name: str) -> Response:
        state = indexes.index_state(name=name)
        query = queries.parse_search(exact_filter(request), state.dimension, state.distance)
        answer = search.search_index(state=state, query=query)
        return Response(search_answer(answer, query))


class MultiSearchView(VectorsView):
    """The items nearest to a vector in several indexes of the same dimension and distance."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "read"}

    @describes("multi_search")
    def post(self, request: Request) -> Response:
        names, fields = queries.parse_multi_search(exact_filter(request), MAX_SEARCHED_INDEXES)
        for name in names:
            require_index(request, name)
        states = search.comparable_states(names=names)
        query = queries.finish_multi_search(fields, states[0].dimension, states[0].distance)
        found, is_exact = search.search_indexes(states=states, query=query)
        results = [{"index": name, **hit_fields(hit, query.include)} for name, hit in found]
        return Response({"results": results, "exact": is_exact})


class FetchView(VectorsView):
    """Stored items by their ids."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "read"}

    @describes("fetch")
    def post(self, request: Request, name: str) -> Response:
        state = indexes.index_state(name=name)
        keys, include = validation.parse_fetch(request.data, settings.LAKEHOUSE_MAX_BATCH_ITEMS)
        found, missing = items.fetch_items(state=state, keys=keys, include=include)
        return Response({"items": item_fields(found, include), "missing": missing})


class CountView(VectorsView):
    """How many items there are, or pass a filter."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "read"}

    @describes("count")
    def post(self, request: Request, name: str) -> Response:
        state = indexes.index_state(name=name)
        wanted = validation.parse_count(exact_filter(request))
        return Response({"count": items.count_items(state=state, wanted=wanted)})


class DeleteItemsView(VectorsView):
    """Delete items, by their ids or those that pass a filter: all of them or nothing."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "write"}

    @describes("delete")
    def post(self, request: Request, name: str) -> Response:
        state = indexes.index_state(name=name)
        which = validation.parse_delete(exact_filter(request), settings.LAKEHOUSE_MAX_BATCH_ITEMS)
        if isinstance(which, list):
            return Response(asdict(writes.delete_items(state=state, keys=which)))
        return Response(asdict(writes.delete_matching(state=state, wanted=which)))


class ItemsView(VectorsView):
    """All items, page by page in the order of their ids; and changes of their metadata."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": "read", "PATCH": "write"}

    @describes("items")
    def get(self, request: Request, name: str) -> Response:
        state = indexes.index_state(name=name)
        params = request.query_params
        words = [word for word in params.get("include", "metadata").split(",") if word]
        include = validation.parse_include(words)
        limit = _limit(params.get("limit", str(items.DEFAULT_PAGE_ITEMS)))
        page, cursor = items.list_items(state=state, cursor=params.get("cursor"), limit=limit, include=include)
        return Response({"items": item_fields(page, include), "next": cursor})

    @describes("patch")
    def patch(self, request: Request, name: str) -> Response:
        state = indexes.index_state(name=name)
        most = settings.LAKEHOUSE_MAX_BATCH_ITEMS
        patches = validation.parse_patch(request.data, most)
        if has_long_number(request):
            patches = validation.parse_patch(body_with_exact_integers(request), most)
        limit = settings.LAKEHOUSE_MAX_BODY_BYTES
        return Response(asdict(writes.patch_items(state=state, patches=patches, max_bytes=limit)))


class MergeView(VectorsView):
    """Merge this index into another."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "write"}

    @describes("merge")
    def post(self, request: Request, name: str) -> Response:
        wanted = validation.parse_merge(request.data)
        require_index(request, wanted.dest)
        return Response(asdict(merge.merge_indexes(source=name, merge=wanted)))


class RecallView(VectorsView):
    """Measure how much of the true neighbours searches find, and look at earlier measurements."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": "read", "POST": "write"}

    @describes("recall_history")
    def get(self, request: Request, name: str) -> Response:
        return Response({"results": [asdict(one) for one in recall.recall_history(name=name)]})

    @describes("recall")
    def post(self, request: Request, name: str) -> Response:
        num, k = queries.parse_recall(request.data)
        state = indexes.index_state(name=name)
        return Response(asdict(recall.measure_recall(state=state, num=num, k=k)))


class DuplicatesView(VectorsView):
    """Groups of items that lie within a distance of each other."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "read"}

    @describes("duplicates")
    def post(self, request: Request, name: str) -> Response:
        threshold = queries.parse_duplicates(request.data)
        state = indexes.index_state(name=name)
        most = duplicates.MAX_ITEMS_OF_A_CALL
        return Response(asdict(duplicates.find_duplicates(state=state, threshold=threshold, max_items=most)))


class SnapshotView(VectorsView):
    """Publish a snapshot of this index now."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "write"}

    @describes("snapshot")
    def post(self, request: Request, name: str) -> Response:
        validation.parse_nothing(request.data)
        state = indexes.index_state(name=name)
        return Response(asdict(snapshots.take_snapshot(state=state)))


def exact_filter(request: Request) -> Any:
    """Return the body, its filter with exact integers: orjson makes floats of those beyond 64 bits."""
    body = request.data
    if isinstance(body, dict) and has_huge_number(body.get("filter")):
        return {**body, "filter": body_with_exact_integers(request)["filter"]}
    return body


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= items.MAX_PAGE_ITEMS):
        raise InvalidInput.at("?limit", "range", f"Expected a whole number from 1 to {items.MAX_PAGE_ITEMS}.")
    return int(text)
