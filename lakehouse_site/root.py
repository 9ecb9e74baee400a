"""`GET /`: what this is and where to go."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lakehouse_site import VERSION

_PLACES = {
    "vectors": ("/v1/vectors/index", "the vector indexes"),
    "scored_runs": ("/v1/distillation/scored-runs", "scored runs of models"),
    "exports": ("/v1/distillation/exports", "training sets made of them"),
    "monitors": ("/v1/drift/monitors", "what is watched for drift"),
    "alerts": ("/v1/drift/alerts", "what has drifted"),
    "schema": ("/v1/schema", "OpenAPI description"),
    "docs": ("/docs/", "the same, to read and try"),
    "admin": ("/admin/", "for staff"),
    "health": ("/health", "is the process alive?"),
    "ready": ("/ready", "can it do its work?"),
    "metrics": ("/metrics", "numbers for Prometheus"),
}


class RootView(APIView):
    """Vector indexes, training sets and drift, for teams that run language models on their own data."""

    required_scopes = {"GET": "read"}  # noqa: RUF012

    def get_view_name(self) -> str:
        return "Lakehouse"

    @extend_schema(summary="What this is and where to go", responses={200: {"type": "object"}})
    def get(self, request: Request) -> Response:
        places = {
            name: {"url": request.build_absolute_uri(path), "about": about} for name, (path, about) in _PLACES.items()
        }
        return Response({"name": "Lakehouse", "version": VERSION, "about": self.__doc__, **places})
