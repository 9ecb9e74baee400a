"""Indexes in the admin: to look at, and to drop through the same service as the API. Rows are facts: not editable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from vectors.indexes import drop_index, list_indexes
from vectors.models import VectorIndex

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[VectorIndex]
else:
    ModelAdmin = admin.ModelAdmin  # takes a type argument only in the stubs


@admin.register(VectorIndex)
class VectorIndexAdmin(ModelAdmin):
    list_display = ("name", "items", "dimension", "distance", "m", "ef_construction", "ef_search", "updated_at")
    list_filter = ("distance",)
    search_fields = ("name",)
    readonly_fields = ("items", "seq", "updated_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[VectorIndex]:
        return list_indexes()

    @admin.display(ordering="head__live_count")
    def items(self, index: VectorIndex) -> int:
        return index.head.live_count

    @admin.display(description="last sequence number", ordering="head__last_seq")
    def seq(self, index: VectorIndex) -> int:
        return index.head.last_seq

    @admin.display(ordering="head__updated_at")
    def updated_at(self, index: VectorIndex) -> str:
        return f"{index.head.updated_at:%Y-%m-%d %H:%M:%S} UTC"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: VectorIndex | None = None) -> bool:
        return False

    def get_deleted_objects(
        self, objs: Sequence[VectorIndex] | QuerySet[VectorIndex], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        # The stock page would load every item of the index to list it.
        names = [f"{index.name} with {index.head.live_count} items" for index in objs]
        return names, {"vector indexes": len(names)}, set(), []

    def delete_model(self, request: HttpRequest, obj: VectorIndex) -> None:
        drop_index(name=obj.name)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[VectorIndex]) -> None:
        for index in queryset:
            drop_index(name=index.name)
