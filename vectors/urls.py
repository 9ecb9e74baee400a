"""Routes of the index service, each with and without a trailing slash. Ids never stand in paths."""

from __future__ import annotations

from django.urls import re_path

from lakehouse_site.fast_lane import open_lane
from vectors import answers, views

NAME = r"(?P<name>[^/]+)"

open_lane(rf"/v1/vectors/index/{NAME}/search/?", answers.quick_search)

urlpatterns = [
    re_path(
        rf"^index/{NAME}/search/?$", views.SearchView.as_view(), name="search"
    ),  # first: patterns are tried in order
    re_path(r"^index/?$", views.IndexesView.as_view(), name="indexes"),
    re_path(r"^search/?$", views.MultiSearchView.as_view(), name="multi-search"),
    re_path(rf"^index/{NAME}/?$", views.IndexView.as_view(), name="index"),
    re_path(rf"^index/{NAME}/add/?$", views.AddView.as_view(), name="add"),
    re_path(rf"^index/{NAME}/fetch/?$", views.FetchView.as_view(), name="fetch"),
    re_path(rf"^index/{NAME}/count/?$", views.CountView.as_view(), name="count"),
    re_path(rf"^index/{NAME}/delete/?$", views.DeleteItemsView.as_view(), name="delete"),
    re_path(rf"^index/{NAME}/items/?$", views.ItemsView.as_view(), name="items"),
    re_path(rf"^index/{NAME}/merge/?$", views.MergeView.as_view(), name="merge"),
    re_path(rf"^index/{NAME}/recall/?$", views.RecallView.as_view(), name="recall"),
    re_path(rf"^index/{NAME}/duplicates/?$", views.DuplicatesView.as_view(), name="duplicates"),
    re_path(rf"^index/{NAME}/snapshot/?$", views.SnapshotView.as_view(), name="snapshot"),
]
