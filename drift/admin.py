"""Drift in the admin: monitors, what they found, and alerts to acknowledge. Reports are facts: not editable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from drift import tasks
from drift.admin_pages.monitor_form import MonitorForm
from drift.admin_pages.run_links import bucket_links, transition_links
from drift.alerts import JUDGED, acknowledge_alert
from drift.charts import heat_map, mirrored_bars, verdict_timeline
from drift.models import DriftAlert, DriftDelivery, DriftMonitor, DriftReport
from drift.monitor_fields import FIELDS, parse_monitor
from drift.monitors import create_monitor, delete_monitor, update_monitor
from lakehouse_site.errors import LakehouseError
from lakehouse_site.tasks.enqueue import address_of, enqueue

if TYPE_CHECKING:
    MonitorBase = admin.ModelAdmin[DriftMonitor]
    ReportBase = admin.ModelAdmin[DriftReport]
    AlertBase = admin.ModelAdmin[DriftAlert]
    DeliveryInline = admin.TabularInline[DriftDelivery, DriftAlert]
else:  # they take type arguments only in the stubs
    MonitorBase = ReportBase = AlertBase = admin.ModelAdmin
    DeliveryInline = admin.TabularInline

SHOWN_REPORTS = 60


class Facts:
    """Rows that are looked at: services make them."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(DriftMonitor)
class DriftMonitorAdmin(MonitorBase):
    """Monitors are made, changed and deleted by the services of the API, which own their transactions."""

    list_display = ("name", "target", "reference", "is_active", "last_window_end", "last_verdict")
    list_filter = ("target", "is_active")
    search_fields = ("name",)
    actions = ("check_now",)
    form = MonitorForm
    readonly_fields = ("last_window_end", "history")

    class Media:
        css = {"all": ("vectors/admin.css", "drift/admin.css")}  # noqa: RUF012

    def get_fields(self, request: HttpRequest, obj: DriftMonitor | None = None) -> tuple[str, ...]:
        # Who may only look sees values as they are, and the secret is never shown.
        may_type = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        fields = FIELDS if may_type else tuple(name for name in FIELDS if name != "webhook_secret")
        return ("history", *fields, "last_window_end") if obj else fields

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        # Django's own opens a transaction around the whole page.
        return self._told(request, lambda: self._changeform_view(request, object_id, form_url, extra_context))  # type: ignore[attr-defined]

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._told(request, lambda: self._delete_view(request, object_id, extra_context))  # type: ignore[attr-defined]

    def _told(self, request: HttpRequest, page: Callable[[], HttpResponse]) -> HttpResponse:
        try:
            return page()
        except LakehouseError as error:  # somebody else was faster: the name is taken, or the monitor gone
            self.message_user(request, error.detail, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:drift_driftmonitor_changelist"))

    def save_model(self, request: HttpRequest, obj: DriftMonitor, form: MonitorForm, change: bool) -> None:
        saved = (
            update_monitor(monitor_id=str(obj.pk), changes=form.body)
            if change
            else create_monitor(fields=parse_monitor(form.body))
        )
        obj.__dict__.update(saved.__dict__)

    def has_check_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("drift.change_driftmonitor"))

    @admin.action(description="Look at the latest window now", permissions=["check"])
    def check_now(self, request: HttpRequest, queryset: QuerySet[DriftMonitor]) -> HttpResponse:
        records = [
            enqueue(
                task=tasks.check,
                arguments={"monitor_id": str(monitor.pk)},
                title=f"Look at the latest window of {monitor.name}",
                subject=monitor,
                by=request.user,
            )
            for monitor in queryset
        ]
        is_one = len(records) == 1
        return HttpResponseRedirect(address_of(records[0]) if is_one else reverse("admin:tasks_taskrecord_changelist"))

    @admin.display(description="last verdict")
    def last_verdict(self, monitor: DriftMonitor) -> str:
        report = monitor.reports.order_by("-window_end").first()
        return report.verdict if report else "–"

    @admin.display(description="verdicts of the last windows")
    def history(self, monitor: DriftMonitor) -> SafeString:
        latest = list(monitor.reports.order_by("-window_end")[:SHOWN_REPORTS])[::-1]
        line = verdict_timeline([(one.window_end, one.verdict, _psi(one), _address(one)) for one in latest])
        return render_to_string("drift/timeline.html", {"line": line, "marks": line.marks[::-1]})

    def delete_model(self, request: HttpRequest, obj: DriftMonitor) -> None:
        delete_monitor(monitor_id=str(obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[DriftMonitor]) -> None:
        for monitor in queryset:
            delete_monitor(monitor_id=str(monitor.pk))

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        # The stock page asks for the right to delete every report and alert of a monitor, which nobody has.
        names = [f"{monitor.name} with its reports and alerts" for monitor in objs]
        return names, {"drift monitors": len(names)}, set(), []


@admin.register(DriftReport)
class DriftReportAdmin(Facts, ReportBase):
    list_display = ("window_end", "monitor", "verdict", "is_drift", "n_reference", "n_current", "error")
    list_filter = ("verdict", "is_drift", "monitor")
    list_select_related = ("monitor",)
    date_hierarchy = "window_end"
    exclude = ("metrics",)
    readonly_fields = ("measures",)

    class Media:
        css = {"all": ("vectors/admin.css", "drift/admin.css")}  # noqa: RUF012

    @admin.display(description="measures")
    def measures(self, report: DriftReport) -> SafeString:
        return render_to_string("drift/report.html", {"metrics": [_shown(report, metric) for metric in report.metrics]})


class DriftDeliveryInline(Facts, DeliveryInline):
    model = DriftDelivery
    fields = ("event", "channel", "address", "state", "attempts", "next_attempt_at", "last_error", "sent_at")
    extra = 0


@admin.register(DriftAlert)
class DriftAlertAdmin(Facts, AlertBase):
    list_display = ("opened_at", "monitor", "kind", "state", "is_quiet", "summary", "acknowledged_by", "resolved_at")
    list_filter = ("state", "kind", "monitor")
    list_select_related = ("monitor",)
    actions = ("acknowledge",)
    inlines = (DriftDeliveryInline,)

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("drift.change_driftalert"))

    @admin.action(description="Acknowledge: I have looked at it", permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[DriftAlert]) -> None:
        for alert in queryset:
            acknowledge_alert(alert_id=str(alert.pk), by=request.user.get_username())
        self.message_user(request, f"{len(queryset)} acknowledged.")


def _psi(report: DriftReport) -> float | None:
    if report.verdict not in JUDGED:  # of too few values it says nothing
        return None
    found = [metric["result"].get("psi") for metric in report.metrics]
    return max((float(psi) for psi in found if psi is not None), default=None)


def _address(report: DriftReport) -> str:
    return reverse("admin:drift_driftreport_change", args=[report.pk])


def _shown(report: DriftReport, metric: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template draws: pictures and tables where there are some, single figures below them."""
    result = metric["result"]
    figures = [
        (name, value) for name, value in result.items() if not isinstance(value, list | dict) and value is not None
    ]
    transitions = transition_links(result)
    return {
        "name": metric["name"],
        "verdict": metric["verdict"],
        "is_drift": metric["is_drift"],
        "bars": mirrored_bars(result, bucket_links(report, metric)),
        "audit": result.get("rows") if "baseline" in result else None,
        "transitions": transitions,
        "heat_map": heat_map(transitions),
        "figures": figures,
    }
