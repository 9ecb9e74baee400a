"""Routes of ingest, queries and previews, each with and without a trailing slash."""

from __future__ import annotations

from django.urls import re_path

from catalog import ingest_views, query_views

urlpatterns = [
    re_path(r"^ingest/?$", ingest_views.IngestView.as_view(), name="catalog-ingest"),
    re_path(r"^query/?$", query_views.QueryView.as_view(), name="catalog-query"),
    re_path(r"^datasets/(?P<table>[^/]+)/preview/?$", query_views.PreviewView.as_view(), name="catalog-preview"),
]
