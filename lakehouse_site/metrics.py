"""`GET /metrics`: what the process counts, in the text format of Prometheus."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from rest_framework.request import Request
from rest_framework.views import APIView


class MetricsView(APIView):
    """Counters and gauges of this process, for Prometheus."""

    required_scopes = {"GET": "read"}  # noqa: RUF012

    @extend_schema(
        summary="Counters and gauges of this process, for Prometheus",
        responses={(200, "text/plain"): OpenApiResponse({"type": "string"}, "Text format of Prometheus.")},
    )
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
