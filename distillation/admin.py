"""What came in, in the admin: facts to look at, and quarantined lines to decide on, through the service of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from distillation import export_admin  # noqa: F401  it registers exports and what belongs to them
from distillation.models import QuarantinedLine, ScoredRun, ScoredRunFile
from distillation.quarantine import MAX_NOTE_CHARACTERS, discard_line, release_line
from distillation.runs import conflicts_of, decisions_of
from lakehouse_site.errors import LakehouseError


class FactAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that are facts: nobody adds, changes or deletes one here."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ScoredRunFile)
class ScoredRunFileAdmin(FactAdmin):
    list_display = (
        "path", "lines", "ingested", "quarantined", "duplicate_identical", "blank", "incomplete_tail", "finished_at",
    )  # fmt: skip
    list_filter = (("finished_at", admin.EmptyFieldListFilter),)
    search_fields = ("path", "sha256")


@admin.register(ScoredRun)
class ScoredRunAdmin(FactAdmin):
    list_display = (
        "run_id", "task_id", "attempt", "category", "score", "source", "scorer_name", "scorer_version", "scored_at",
        "is_disputed",
    )  # fmt: skip
    list_filter = ("category", "is_disputed", "source", "scorer_name", "scorer_version")
    date_hierarchy = "scored_at"
    search_fields = ("run_id__exact", "task_id__exact")
    readonly_fields = ("decisions", "contradictions")
    list_select_related = ("file",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScoredRun]:
        found: QuerySet[ScoredRun] = super().get_queryset(request)
        is_list = request.resolver_match is not None and str(request.resolver_match.url_name).endswith("_changelist")
        return found.defer("content") if is_list else found

    @admin.display(description="why was this (not) exported?")
    def decisions(self, run: ScoredRun) -> SafeString | str:
        rows = [
            (str(each.export), each.outcome, each.split or "–", each.group or "–", str(each.evidence or "–"))
            for each in decisions_of(run)[:100]
        ]
        if not rows:
            return "No export has looked at this run yet."
        head = ("export", "outcome", "split", "group", "evidence")
        return _table(head, rows)

    @admin.display(description="lines that contradict it")
    def contradictions(self, run: ScoredRun) -> SafeString | str:
        links = [
            (reverse("admin:distillation_quarantinedline_change", args=[row.pk]), row.file.path, row.line, row.status)
            for row in conflicts_of(run)[:100]
        ]
        return format_html_join("", '<p><a href="{}">{}:{}</a> ({})</p>', links) if links else "None."


class NoteForm(ActionForm):
    """The note that is kept with a decision."""

    note = forms.CharField(required=False, max_length=MAX_NOTE_CHARACTERS, label="Note:")


@admin.register(QuarantinedLine)
class QuarantinedLineAdmin(FactAdmin):
    list_display = ("id", "code", "run_id", "file", "line", "message", "status", "quarantined_at", "decided_by")
    list_filter = ("status", "code")
    search_fields = ("run_id__exact", "file__path")
    list_select_related = ("file",)
    action_form = NoteForm
    actions = ("release", "discard")
    exclude = ("raw",)
    readonly_fields = ("beginning", "stored_run")

    def get_queryset(self, request: HttpRequest) -> QuerySet[QuarantinedLine]:
        found: QuerySet[QuarantinedLine] = super().get_queryset(request)
        is_list = request.resolver_match is not None and str(request.resolver_match.url_name).endswith("_changelist")
        return found.defer("raw", "content") if is_list else found

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("distillation.change_quarantinedline"))

    @admin.display(description="the first bytes of the line")
    def beginning(self, row: QuarantinedLine) -> SafeString:
        return format_html("<pre>{}</pre>", bytes(row.raw).decode("utf-8", "replace"))

    @admin.display(description="the stored run")
    def stored_run(self, row: QuarantinedLine) -> SafeString | str:
        run = ScoredRun.objects.filter(run_id=row.run_id).first() if row.run_id else None
        if run is None:
            return "None."
        address = reverse("admin:distillation_scoredrun_change", args=[run.pk])
        return format_html('<p><a href="{}">{}</a></p><pre>{}</pre>', address, run.run_id, run.content)

    @admin.action(description="Release: take the selected lines after all", permissions=["decide"])
    def release(self, request: HttpRequest, queryset: QuerySet[QuarantinedLine]) -> None:
        self._decide(request, queryset, release_line)

    @admin.action(description="Discard: leave the selected lines out for good", permissions=["decide"])
    def discard(self, request: HttpRequest, queryset: QuerySet[QuarantinedLine]) -> None:
        self._decide(request, queryset, discard_line)

    def _decide(self, request: HttpRequest, queryset: QuerySet[QuarantinedLine], service: Any) -> None:
        done = 0
        for line_id in queryset.order_by("pk").values_list("pk", flat=True):
            try:
                service(line_id=line_id, decided_by=request.user.get_username(), note=request.POST.get("note", ""))
                done += 1
            except LakehouseError as error:
                messages.error(request, f"Line {line_id}: {error.detail}")
        if done:
            messages.success(request, f"{done} lines are decided.")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> SafeString:
    cells = "".join("<td>{}</td>" for _ in head)
    body = format_html_join("", f"<tr>{cells}</tr>", rows)
    titles = format_html_join("", "<th>{}</th>", ((title,) for title in head))
    return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", titles, body)
