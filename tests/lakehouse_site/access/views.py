"""Views and routes that the access tests put in place of the real ones."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lakehouse_site.access.permissions import index_visible, require_index


class ThingView(APIView):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "read", "POST": "write"}
    django_permissions: ClassVar[dict[str, str]] = {"read": "auth.view_group", "write": "auth.change_group"}

    def get(self, request: Request, **kwargs: Any) -> Response:
        visible = index_visible(request)
        return Response({"visible": [name for name in ("docs-1", "mail-1") if visible is None or visible(name)]})

    def post(self, request: Request, **kwargs: Any) -> Response:
        body: Any = request.data
        if "name" in body:
            require_index(request, body["name"])
        return Response({"body": request.data})

    def delete(self, request: Request, **kwargs: Any) -> Response:
        return Response({})


class BareView(APIView):
    """Says nothing about scopes; GET is admin's business in `AdminOnlyView`."""

    def get(self, request: Request) -> Response:
        return Response({})

    def post(self, request: Request) -> Response:
        return Response({})


class AdminOnlyView(APIView):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "admin"}

    def get(self, request: Request) -> Response:
        return Response({})


class BrokenView(APIView):
    def get(self, request: Request) -> Response:
        raise RuntimeError("the secret is 42")


urlpatterns = [
    path("thing", ThingView.as_view()),
    path("bare", BareView.as_view()),
    path("admin-only", AdminOnlyView.as_view()),
    path("broken", BrokenView.as_view()),
    path("index/<str:name>", ThingView.as_view()),
    path("", include("lakehouse_site.urls")),
]

handler400 = "lakehouse_site.problems.bad_request"
handler403 = "lakehouse_site.problems.permission_denied"
handler404 = "lakehouse_site.problems.page_not_found"
handler500 = "lakehouse_site.problems.server_error"
