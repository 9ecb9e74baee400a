"""Routes of distillation, each with and without a trailing slash."""

from __future__ import annotations

from django.urls import re_path

from distillation import export_views, views

_EXPORT = r"^exports/(?P<export_id>[0-9a-f]+)"
_NOTICE = r"^recall-notices/(?P<notice_id>[0-9a-f-]{36})"

_LINE = r"^quarantine/(?P<line_id>[0-9]{1,18})"

urlpatterns = [
    re_path(r"^scored-runs/?$", views.ScoredRunsView.as_view(), name="scored-runs"),
    re_path(r"^scored-runs/(?P<run_id>[^/]+)/?$", views.ScoredRunView.as_view(), name="scored-run"),
    re_path(r"^quarantine/?$", views.QuarantineView.as_view(), name="quarantine"),
    re_path(rf"{_LINE}/release/?$", views.QuarantineReleaseView.as_view(), name="quarantine-release"),
    re_path(rf"{_LINE}/discard/?$", views.QuarantineDiscardView.as_view(), name="quarantine-discard"),
    re_path(r"^stats/?$", views.StatsView.as_view(), name="distillation-stats"),
    re_path(r"^exports/?$", export_views.ExportListView.as_view(), name="exports"),
    re_path(rf"{_EXPORT}/?$", export_views.ExportView.as_view(), name="export"),
    re_path(rf"{_EXPORT}/files/(?P<file_name>[^/]+)/?$", export_views.ExportFileView.as_view(), name="export-file"),
    re_path(rf"{_EXPORT}/decisions/?$", export_views.ExportDecisionsView.as_view(), name="export-decisions"),
    re_path(r"^recall-notices/?$", export_views.RecallNoticesView.as_view(), name="recall-notices"),
    re_path(rf"{_NOTICE}/acknowledge/?$", export_views.RecallNoticeView.as_view(), name="recall-notice"),
    re_path(r"^eval-sets/?$", export_views.EvalSetsView.as_view(), name="eval-sets"),
    re_path(r"^eval-sets/(?P<eval_set>[^/]+)/retire/?$", export_views.EvalSetRetireView.as_view(), name="eval-set"),
    re_path(r"^freezes/?$", export_views.FreezesView.as_view(), name="freezes"),
    re_path(r"^freezes/(?P<freeze_id>[0-9]{1,18})/acknowledge/?$", export_views.FreezeView.as_view(), name="freeze"),
]
