"""The catalog in the admin: tables to look at and to act on through the services of the API, grants to edit.

All else are facts: not editable. The pages of one table are in `catalog/admin_pages`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path

from catalog.admin_pages import actions, pages
from catalog.admin_pages.base import Page, relation_page
from catalog.admin_pages.grant_form import GrantForm
from catalog.models import Commit, Grant, IdempotencyKey, IngestRun, Namespace, QueryRun, Relation, Warehouse

if TYPE_CHECKING:
    RelationBase = admin.ModelAdmin[Relation]
    GrantBase = admin.ModelAdmin[Grant]
else:
    RelationBase = GrantBase = admin.ModelAdmin  # they take type arguments only in the stubs

PAGES: dict[str, tuple[Page, str]] = {
    "schema": (pages.schema_page, "view"),
    "rows": (pages.rows_page, "view"),
    "rollback": (actions.rollback_page, "change"),
    "undrop": (actions.undrop_page, "change"),
}


class Facts(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that are looked at: services make them."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class IsDropped(admin.SimpleListFilter):
    """Living or dropped."""

    title = "state"
    parameter_name = "dropped"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("0", "Living"), ("1", "Dropped")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("0", "1"):
            return queryset
        return queryset.filter(deleted_at__isnull=self.value() == "0")


@admin.register(Relation)
class RelationAdmin(RelationBase):
    list_display = ("table", "kind", "state", "rows", "size", "format", "last_commit")
    list_filter = (IsDropped, "kind", "format_version", "namespace__warehouse")
    list_select_related = ("namespace",)
    search_fields = ("name", "namespace__path", "uuid")
    show_full_result_count = False

    class Media:
        css = {"all": ("vectors/admin.css", "catalog/admin.css")}  # noqa: RUF012  as Django documents it

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<int:object_id>/{name}/", relation_page(self, page, needs), name=f"catalog_relation_{name}")
            for name, (page, needs) in PAGES.items()
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "title": "Tables and views"})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return relation_page(self, pages.facts_page, "view")(request, object_id)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return relation_page(self, actions.drop_page, "delete")(request, object_id)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Relation]:
        return super().get_queryset(request).defer("metadata_text").order_by("namespace__path", "name", "pk")

    @admin.display(ordering="name")
    def table(self, relation: Relation) -> str:
        return str(relation)

    @admin.display(ordering="row_count")
    def rows(self, relation: Relation) -> str:
        return "–" if relation.row_count is None else f"{relation.row_count:,}"

    @admin.display(ordering="size_bytes")
    def size(self, relation: Relation) -> str:
        return "–" if relation.size_bytes is None else filesizeformat(relation.size_bytes)

    @admin.display(ordering="format_version")
    def format(self, relation: Relation) -> str:
        return f"v{relation.format_version}"

    @admin.display(ordering="updated_at", description="last commit (UTC)")
    def last_commit(self, relation: Relation) -> str:
        return f"{relation.updated_at:%Y-%m-%d %H:%M}"

    @admin.display(ordering="deleted_at")
    def state(self, relation: Relation) -> str:
        if relation.deleted_at is None:
            return "living"
        return "to be purged" if relation.is_purge_requested else "dropped"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Relation | None = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}  # a table is dropped on its own page, where its name is typed


@admin.register(Warehouse)
class WarehouseAdmin(Facts):
    list_display = ("name", "root", "storage_alias", "created_at")


@admin.register(Namespace)
class NamespaceAdmin(Facts):
    list_display = ("__str__", "warehouse", "tables", "created_at", "deleted_at")
    list_filter = (IsDropped, "warehouse")
    list_select_related = ("warehouse",)
    search_fields = ("path",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Namespace]:
        living = Count("relations", filter=Q(relations__deleted_at=None))
        found: QuerySet[Namespace] = super().get_queryset(request).annotate(living=living)
        return found

    @admin.display(ordering="living", description="tables and views")
    def tables(self, namespace: Any) -> int:
        return int(namespace.living)


@admin.register(Grant)
class GrantAdmin(GrantBase):
    """The first grant of a warehouse closes it to all who have none."""

    form = GrantForm
    list_display = ("principal", "privilege", "namespace", "warehouse", "created_at")
    list_filter = ("warehouse", "privilege")
    list_select_related = ("warehouse",)
    search_fields = ("principal", "path")

    @admin.display(ordering="path")
    def namespace(self, grant: Grant) -> str:
        return ".".join(grant.path.split("\x1f")) or "the whole warehouse"


@admin.register(Commit)
class CommitAdmin(Facts):
    list_display = ("committed_at", "relation", "version", "action", "rows", "principal", "request_id")
    list_filter = ("action",)
    list_select_related = ("relation__namespace",)
    date_hierarchy = "committed_at"
    search_fields = ("relation__name", "principal", "request_id__exact")
    ordering = ("-pk",)

    @admin.display(ordering="row_count")
    def rows(self, commit: Commit) -> str:
        return "–" if commit.row_count is None else f"{commit.row_count:,}"


@admin.register(IngestRun)
class IngestRunAdmin(Facts):
    list_display = ("created_at", "source", "relation", "mode", "rows", "size", "seconds", "principal")
    list_filter = ("mode", "file_format")
    list_select_related = ("relation__namespace",)
    date_hierarchy = "created_at"
    search_fields = ("source", "sha256__exact", "relation__name")

    @admin.display(ordering="size_bytes")
    def size(self, run: IngestRun) -> str:
        return filesizeformat(run.size_bytes)


@admin.register(QueryRun)
class QueryRunAdmin(Facts):
    list_display = ("created_at", "status", "query", "rows", "seconds", "principal")
    list_filter = ("status",)
    date_hierarchy = "created_at"
    search_fields = ("sql", "principal", "request_id__exact")

    @admin.display(description="SQL")
    def query(self, run: QueryRun) -> str:
        return run.sql[:120]


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(Facts):
    list_display = ("created_at", "key", "principal", "status")
    list_filter = ("status",)
    search_fields = ("key__exact", "principal")
    ordering = ("-created_at",)
