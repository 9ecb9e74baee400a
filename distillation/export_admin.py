"""Exports, decisions, recall notices, evaluation sets and freezes in the admin. Records are facts: not editable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from distillation.eval_sets import retire_eval_set
from distillation.export_reads import acknowledge_notice
from distillation.freezes import acknowledge_freeze
from distillation.funnel_picture import draw_funnel
from distillation.models import EvalSet, Export, RecallNotice, ScorerFreeze, StageDecision
from distillation.pipeline_types import Json

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin  # takes a type argument only in the stubs


class FactAdmin(ModelAdmin):
    """To look at; neither added, changed nor deleted here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _as_text(value: Json) -> str:
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False)) if value else "-"


@admin.register(Export)
class ExportAdmin(FactAdmin):
    list_display = ("export_id", "kind", "status", "rows", "started_at", "finished_at")
    list_filter = ("kind", "status")
    search_fields = ("export_id",)
    fieldsets = (
        (None, {"fields": ("export_id", "kind", "status", "rows", "baseline", "started_at", "finished_at", "error")}),
        ("Configuration", {"fields": ("shown_config",)}),
        ("Key figures", {"fields": ("shown_figures",), "classes": ("collapse",)}),
        ("Manifest", {"fields": ("shown_manifest",), "classes": ("collapse",)}),
    )

    @admin.display(description="Configuration")
    def shown_config(self, export: Export) -> str:
        return _as_text(export.config)

    @admin.display(description="Key figures")
    def shown_figures(self, export: Export) -> str:
        return _as_text(export.key_figures)

    @admin.display(description="Manifest")
    def shown_manifest(self, export: Export) -> str:
        return _as_text(export.manifest)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        export = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if export is not None and export.manifest:
            decisions = reverse("admin:distillation_stagedecision_changelist")
            context = {
                "picture": draw_funnel(export.manifest["hashed"]["stages"]),
                "decisions_url": f"{decisions}?export__id__exact={export.pk}",
                "audit": export.audit,
            }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})


@admin.register(StageDecision)
class StageDecisionAdmin(FactAdmin):
    list_display = ("run", "export", "outcome", "split", "group", "evidence")
    list_filter = ("outcome", "split", "export__kind")
    list_select_related = ("run", "export")
    search_fields = ("run__run_id", "run__task_id")
    show_full_result_count = False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "export__id__exact" or super().lookup_allowed(lookup, value, request)


@admin.register(RecallNotice)
class RecallNoticeAdmin(FactAdmin):
    list_display = ("run", "export", "reason", "created_at", "acknowledged_at", "acknowledged_by")
    list_filter = (("acknowledged_at", admin.EmptyFieldListFilter), "reason")
    list_select_related = ("run", "export")
    actions = ("acknowledge",)

    @admin.action(description="Acknowledge", permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[RecallNotice]) -> None:
        for notice in queryset:
            acknowledge_notice(notice_id=str(notice.pk), by=str(request.user))
        messages.success(request, f"{len(queryset)} recall notices are acknowledged.")

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("distillation.change_recallnotice")


@admin.register(EvalSet)
class EvalSetAdmin(FactAdmin):
    list_display = ("name", "items", "is_active", "created_at", "sha256")
    list_filter = ("is_active",)
    search_fields = ("name",)
    exclude = ("content",)
    actions = ("retire",)

    @admin.action(description="Retire: exports use it no longer", permissions=["retire"])
    def retire(self, request: HttpRequest, queryset: QuerySet[EvalSet]) -> None:
        active = queryset.filter(is_active=True)
        names = sorted({found.name for found in active})
        for name in names:
            retire_eval_set(name=name)
        messages.success(request, f"{len(names)} evaluation sets are retired.")

    def has_retire_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("distillation.change_evalset")


class NoteForm(ActionForm):
    """The note of an acknowledgement, beside the list of actions."""

    note = forms.CharField(required=False, label="Note:")


@admin.register(ScorerFreeze)
class ScorerFreezeAdmin(FactAdmin):
    list_display = (
        "scorer_name",
        "scorer_version",
        "reason",
        "frozen_at",
        "acknowledged_at",
        "acknowledged_by",
        "note",
    )
    list_filter = (("acknowledged_at", admin.EmptyFieldListFilter),)
    action_form = NoteForm
    actions = ("acknowledge",)

    @admin.action(description="Acknowledge: exports take its runs again", permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[ScorerFreeze]) -> None:
        for freeze in queryset:
            acknowledge_freeze(freeze_id=freeze.pk, by=str(request.user), note=request.POST.get("note", ""))
        messages.success(request, f"{len(queryset)} freezes are acknowledged.")

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("distillation.change_scorerfreeze")
