"""Routes of datasets, each with and without a trailing slash."""

from __future__ import annotations

from django.urls import re_path

from catalog import dataset_views

_ONE = r"^datasets/(?P<table>[^/]+)"

urlpatterns = [
    re_path(r"^datasets/?$", dataset_views.DatasetsView.as_view(), name="datasets"),
    re_path(rf"{_ONE}/?$", dataset_views.DatasetView.as_view(), name="dataset"),
    re_path(rf"{_ONE}/schema/?$", dataset_views.SchemaView.as_view(), name="dataset-schema"),
    re_path(rf"{_ONE}/snapshots/?$", dataset_views.SnapshotsView.as_view(), name="dataset-snapshots"),
    re_path(rf"{_ONE}/rollback/?$", dataset_views.RollbackView.as_view(), name="dataset-rollback"),
    re_path(rf"{_ONE}/undrop/?$", dataset_views.UndropView.as_view(), name="dataset-undrop"),
]
