"""Routes of the catalog's own API, beside the protocol."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("catalog.data_urls")),
    path("", include("catalog.dataset_urls")),
]
