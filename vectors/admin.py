"""Indexes in the admin: to look at, to search, and to act on through the services of the API. Rows are facts: not
editable. The pages of one index are in `vectors/admin_pages`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path
from django.utils.timesince import timesince

from vectors.admin_pages import actions, facts, items, search
from vectors.admin_pages.base import Page, index_page
from vectors.indexes import MIN_RECALL, list_indexes
from vectors.models import VectorIndex
from vectors.overview import IndexFacts, facts_of

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[VectorIndex]
else:
    ModelAdmin = admin.ModelAdmin  # takes a type argument only in the stubs

PAGES: dict[str, tuple[Page, str]] = {
    "search": (search.search_page, "view"),
    "map": (search.map_page, "view"),
    "items": (items.items_page, "view"),
    "item": (items.item_page, "view"),
    "snapshot": (actions.snapshot_page, "change"),
    "rebuild": (actions.rebuild_page, "change"),
    "recall": (actions.recall_page, "change"),
    "merge": (actions.merge_page, "change"),
}


class IndexList(ChangeList):
    """The list of indexes, with the facts of all of a page read at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        for index, its_facts in zip(self.result_list, facts_of(indexes=self.result_list), strict=True):
            index.facts = its_facts


@admin.register(VectorIndex)
class VectorIndexAdmin(ModelAdmin):
    list_display = (
        "name",
        "items",
        "dimension",
        "distance",
        "on_disk",
        "snapshot_age",
        "in_memory",
        "last_recall",
        "tombstones",
        "generation",
    )
    search_fields = ("name",)
    show_full_result_count = False

    class Media:
        css = {"all": ("vectors/admin.css",)}  # noqa: RUF012  as Django documents it

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<uuid:object_id>/{name}/", self._view(page, needs), name=f"vectors_vectorindex_{name}")
            for name, (page, needs) in PAGES.items()
        ]
        return [*own, *super().get_urls()]

    def _view(self, page: Page, needs: str) -> Callable[..., HttpResponse]:
        return index_page(self, page, needs)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "title": "Vector indexes"})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._view(facts.facts_page, "view")(request, object_id)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._view(actions.drop_page, "delete")(request, object_id)

    def get_queryset(self, request: HttpRequest) -> QuerySet[VectorIndex]:
        return list_indexes()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return IndexList

    @admin.display(ordering="head__live_count")
    def items(self, index: VectorIndex) -> str:
        return f"{index.head.live_count:,}"

    @admin.display(description="last snapshot")
    def on_disk(self, index: VectorIndex) -> str:
        size = _facts(index).snapshot_bytes
        return "none" if size is None else filesizeformat(size)

    @admin.display(description="its age")
    def snapshot_age(self, index: VectorIndex) -> str:
        taken_at = _facts(index).snapshot_at
        return "–" if taken_at is None else timesince(taken_at, depth=1)

    @admin.display(description="memory here")
    def in_memory(self, index: VectorIndex) -> str:
        size = _facts(index).memory_bytes
        return "not loaded" if size is None else filesizeformat(size)

    @admin.display(description="last recall")
    def last_recall(self, index: VectorIndex) -> str:
        measured = _facts(index).info.recall
        if measured is None:
            return "not measured"
        return f"{measured.recall:.4f}{' (low)' if measured.recall < MIN_RECALL else ''}"

    @admin.display
    def tombstones(self, index: VectorIndex) -> str:
        return f"{_facts(index).tombstones:,}"

    @admin.display(ordering="head__generation")
    def generation(self, index: VectorIndex) -> int:
        return _facts(index).generation

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: VectorIndex | None = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}  # an index is dropped on its own page, where its name is typed


def _facts(index: VectorIndex) -> IndexFacts:
    found: IndexFacts = index.facts  # type: ignore[attr-defined] # set by `IndexList`
    return found
