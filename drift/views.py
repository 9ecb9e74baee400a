"""The HTTP face of drift: read the body, call one service or pure function, shape the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from distillation import freezes
from drift import alerts, bodies, checks, monitors
from drift.audit import build_audit_drift_table
from drift.categorical import compute_scorer_drift
from drift.embedding import compute_embedding_drift
from drift.freezing import freeze_facts
from drift.models import DriftAlert, DriftReport
from drift.monitor_fields import parse_monitor
from drift.openapi import describes
from drift.psi import compute_distribution_drift
from lakehouse_site.errors import InvalidInput
from lakehouse_site.pagination import Pages


class DriftView(APIView):
    """What a caller needs for each method; see `lakehouse_site.access.permissions`."""

    concerns_all_indexes = True
    django_permissions: ClassVar[dict[str, str]] = {
        "read": "drift.view_driftmonitor",
        "write": "drift.change_driftmonitor",
        "admin": "drift.delete_driftmonitor",
    }

    def page(self, request: Request, found: QuerySet[Any], describe: Callable[[Any], dict[str, Any]]) -> Response:
        """Answer with one page of rows."""
        paginator = Pages()
        rows = paginator.paginate_queryset(found, request, view=self) or []
        return paginator.get_paginated_response([describe(row) for row in rows])


def computed(compute: Callable[..., Any], arguments: dict[str, Any]) -> Response:
    """Answer with what a pure function makes of the body; it knows limits that the body's shape does not show."""
    try:
        found = compute(**arguments)
    except (ValueError, TypeError) as error:
        raise InvalidInput.at("", "value", str(error)) from error
    return Response(found.to_dict())


class DistributionView(DriftView):
    """Compare two samples of a number."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "read"}

    @describes("drift_distribution")
    def post(self, request: Request) -> Response:
        return computed(compute_distribution_drift, bodies.parse_distribution(request.data))


class ScorerView(DriftView):
    """Compare two verdicts on the same runs."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "read"}

    @describes("drift_scorer")
    def post(self, request: Request) -> Response:
        return computed(compute_scorer_drift, bodies.parse_scorer(request.data))


class AuditView(DriftView):
    """Compare key figures with a baseline."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "read"}

    @describes("drift_audit")
    def post(self, request: Request) -> Response:
        return computed(build_audit_drift_table, bodies.parse_audit(request.data))


class EmbeddingView(DriftView):
    """Compare two sets of vectors."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "read"}

    @describes("drift_embedding")
    def post(self, request: Request) -> Response:
        return computed(compute_embedding_drift, bodies.parse_embedding(request.data))


class MonitorsView(DriftView):
    """What is watched."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": "read", "POST": "write"}

    @describes("monitor_list")
    def get(self, request: Request) -> Response:
        return self.page(request, monitors.list_monitors(), monitors.describe_monitor)

    @describes("monitor_create")
    def post(self, request: Request) -> Response:
        monitor = monitors.create_monitor(fields=parse_monitor(request.data))
        return Response(monitors.describe_monitor(monitor), status=201)


class MonitorView(DriftView):
    """One monitor."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": "read", "PATCH": "write", "DELETE": "write"}

    @describes("monitor_get")
    def get(self, request: Request, monitor_id: str) -> Response:
        return Response(monitors.describe_monitor(monitors.get_monitor(monitor_id=monitor_id)))

    @describes("monitor_update")
    def patch(self, request: Request, monitor_id: str) -> Response:
        monitor = monitors.update_monitor(monitor_id=monitor_id, changes=request.data)
        return Response(monitors.describe_monitor(monitor))

    @describes("monitor_delete")
    def delete(self, request: Request, monitor_id: str) -> Response:
        monitors.delete_monitor(monitor_id=monitor_id)
        return Response(status=204)


class CheckView(DriftView):
    """Look now. Alerts that follow are sent by the next `drift_check`."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "write"}

    @describes("monitor_check")
    def post(self, request: Request, monitor_id: str) -> Response:
        return Response(monitors.describe_report(checks.check_monitor(monitor_id=monitor_id)))


class ReportsView(DriftView):
    """What was found."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": "read"}

    @describes("report_list")
    def get(self, request: Request) -> Response:
        verdict = _choice(request, "verdict", DriftReport.Verdict.values)
        key = _monitor(request)
        found = monitors.list_reports(monitor_id=str(key or ""), verdict=verdict)
        return self.page(request, found, monitors.describe_report)


class AlertsView(DriftView):
    """What somebody should look at."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": "read"}

    @describes("alert_list")
    def get(self, request: Request) -> Response:
        state = _choice(request, "state", DriftAlert.State.values)
        found = alerts.list_alerts(state=state, monitor_id=_monitor(request))
        return self.page(request, found, alerts.describe_alert)


class AcknowledgeView(DriftView):
    """Say that a person has looked at an alert."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "write"}

    @describes("alert_acknowledge")
    def post(self, request: Request, alert_id: str) -> Response:
        by, note = bodies.parse_acknowledgement(request.data)
        return Response(alerts.describe_alert(alerts.acknowledge_alert(alert_id=alert_id, by=by, note=note)))


class ScorerFreezeView(DriftView):
    """Compare two verdicts on the same runs, and freeze the scorer version if that calls for it."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "write"}

    @describes("drift_scorer_freeze")
    def post(self, request: Request) -> Response:
        fields = bodies.parse_freeze(request.data)
        found = compute_scorer_drift(fields["before"], fields["after"])
        names = fields["scorer_name"], fields["scorer_version"]
        facts = freeze_facts(found, *names, compared_with=fields.get("compared_with", ""))
        freeze = freezes.freeze_scorer(**facts) if facts else None
        return Response({"drift": found.to_dict(), "freeze": freezes.describe_freeze(freeze) if freeze else None})


def _monitor(request: Request) -> UUID | None:
    text = request.query_params.get("monitor")
    return None if text is None else monitors.monitor_key(text)


def _choice(request: Request, name: str, values: list[str]) -> str:
    text = request.query_params.get(name, "")
    if name in request.query_params and text not in values:
        raise InvalidInput.at(f"?{name}", "choice", f"Expected one of {', '.join(values)}.")
    return text
