"""Tasks in the admin: facts to look at, by whoever may view what they are done with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from lakehouse_site.tasks.looking import NO_WORKER, living_workers, may_see, state_of, visible_tasks
from lakehouse_site.tasks.models import TaskRecord

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[TaskRecord]
else:
    ModelAdmin = admin.ModelAdmin  # takes a type argument only in the stubs

REFRESH_SECONDS = 2

# The package's own list is the same without words, and with tracebacks.
admin.site.unregister(DBTaskResult)


@admin.register(TaskRecord)
class TaskRecordAdmin(ModelAdmin):
    list_display = ("title", "state", "started_by_name", "queued", "finished", "outcome")
    list_filter = ("result__status",)
    search_fields = ("title", "subject_name")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskRecord]:
        return visible_tasks(request.user)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        record = self.get_object(request, object_id)
        if record is None:
            messages.warning(request, "This task does not exist. Finished ones are deleted after some days.")
            return HttpResponseRedirect(reverse("admin:tasks_taskrecord_changelist"))
        result, state = record.result, state_of(record)
        is_finished = state in ("done", "failed")
        context = {
            **self.admin_site.each_context(request),
            "opts": TaskRecord._meta,
            "title": record.title,
            "task": record,
            "result": result,
            "state": state,
            "attempts": len(result.worker_ids),
            "seconds": _seconds(result),
            "refresh_seconds": None if is_finished else REFRESH_SECONDS,
            "no_worker": "" if is_finished or living_workers() else NO_WORKER,
            "subject_address": _subject_address(record),
        }
        return TemplateResponse(request, "lakehouse_site/task.html", context)

    @admin.display(ordering="result__status")
    def state(self, record: TaskRecord) -> str:
        return state_of(record)

    @admin.display(ordering="result__enqueued_at")
    def queued(self, record: TaskRecord) -> Any:
        return record.result.enqueued_at

    @admin.display(ordering="result__finished_at")
    def finished(self, record: TaskRecord) -> Any:
        return record.result.finished_at

    @admin.display(description="what came of it")
    def outcome(self, record: TaskRecord) -> str:
        return record.said[:200]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: TaskRecord | None = None) -> bool:
        return bool(request.user.is_staff) if obj is None else may_see(request.user, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: TaskRecord | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TaskRecord | None = None) -> bool:
        return False


def _seconds(result: DBTaskResult[..., Any]) -> float | None:
    """Return for how long a task has been running, or ran."""
    if result.started_at is None:
        return None
    return float(((result.finished_at or timezone.now()) - result.started_at).total_seconds())


def _subject_address(record: TaskRecord) -> str:
    kind = record.subject_type
    try:
        return reverse(f"admin:{kind.app_label}_{kind.model}_change", args=[record.subject_id])
    except NoReverseMatch:
        return ""
