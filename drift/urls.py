"""Routes of drift, each with and without a trailing slash."""

from __future__ import annotations

from django.urls import re_path

from drift import views

MONITOR = r"(?P<monitor_id>[^/]+)"

urlpatterns = [
    re_path(r"^distribution/?$", views.DistributionView.as_view(), name="drift-distribution"),
    re_path(r"^scorer/?$", views.ScorerView.as_view(), name="drift-scorer"),
    re_path(r"^scorer/freeze/?$", views.ScorerFreezeView.as_view(), name="drift-scorer-freeze"),
    re_path(r"^audit/?$", views.AuditView.as_view(), name="drift-audit"),
    re_path(r"^embedding/?$", views.EmbeddingView.as_view(), name="drift-embedding"),
    re_path(r"^monitors/?$", views.MonitorsView.as_view(), name="drift-monitors"),
    re_path(rf"^monitors/{MONITOR}/?$", views.MonitorView.as_view(), name="drift-monitor"),
    re_path(rf"^monitors/{MONITOR}/check/?$", views.CheckView.as_view(), name="drift-check"),
    re_path(r"^reports/?$", views.ReportsView.as_view(), name="drift-reports"),
    re_path(r"^alerts/?$", views.AlertsView.as_view(), name="drift-alerts"),
    re_path(
        r"^alerts/(?P<alert_id>[^/]+)/acknowledge/?$", views.AcknowledgeView.as_view(), name="drift-alert-acknowledge"
    ),
]
