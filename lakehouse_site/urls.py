"""All routes of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from lakehouse_site import health, schema  # noqa: F401  importing the second registers what it describes
from lakehouse_site.metrics import MetricsView
from lakehouse_site.root import RootView

admin.site.site_header = "Lakehouse"
admin.site.site_title = "Lakehouse"
admin.site.index_title = "Is everything well?"
admin.site.site_url = "/"

urlpatterns = [
    path("v1/vectors/", include("vectors.urls")),  # first: patterns are tried in order
    path("v1/distillation/", include("distillation.urls")),
    path("v1/drift/", include("drift.urls")),
    path("v1/catalog/", include("catalog.urls")),
    path("iceberg/", include("catalog.protocol.urls")),
    path("", RootView.as_view(), name="root"),
    # The middleware answers it before this; the route is here so that every list of routes has it.
    re_path(r"^health/?$", health.answer, name="health"),
    re_path(r"^ready/?$", health.ReadyView.as_view(), name="ready"),
    re_path(r"^metrics/?$", MetricsView.as_view(), name="metrics"),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    re_path(r"^v1/schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(
        r"^docs/?$",
        SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="lakehouse_site/docs.html"),
        name="docs",
    ),
]

handler400 = "lakehouse_site.problems.bad_request"
handler403 = "lakehouse_site.problems.permission_denied"
handler404 = "lakehouse_site.problems.page_not_found"
handler500 = "lakehouse_site.problems.server_error"
