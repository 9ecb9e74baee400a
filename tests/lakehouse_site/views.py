"""Views that the tests of parser, renderer and error answers put in place of the real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lakehouse_site.errors import (
    Fault,
    IndexExists,
    IndexNotFound,
    InvalidInput,
    LakehouseError,
    TooLarge,
    Unavailable,
)

ERRORS: dict[str, Exception] = {
    "invalid": InvalidInput([Fault("/items/1/id", "missing", "An id."), Fault("/k", "range", "Too big.")]),
    "surrogate": InvalidInput.at("/\ud800", "lone_surrogate", "\udfff"),
    "missing": IndexNotFound("docs"),
    "exists": IndexExists("docs"),
    "large": TooLarge("Too many."),
    "busy": Unavailable("Later.", retry_after_seconds=7),
    "own": LakehouseError("The disk is full."),
    "database": OperationalError("password=hunter2"),
    "interface": InterfaceError("password=hunter2"),
    "parse": ParseError("Bad."),
    "validation": ValidationError({"k": ["Too big."], "items": [{"a/b": ["No."]}]}),
    "suspicious": SuspiciousOperation("Odd."),
    "bug": RuntimeError("password=hunter2"),
}


class EchoView(APIView):
    def get(self, request: Request) -> Response:
        return Response({"numbers": np.arange(3, dtype=np.float32), "raw": orjson.Fragment(b'{"as":"it is"}')})

    def post(self, request: Request) -> Response:
        return Response({"body": request.data})


class FailView(APIView):
    def get(self, request: Request, which: str) -> Response:
        raise ERRORS[which]


def fail_outside_drf(request: HttpRequest, which: str) -> HttpResponse:
    raise ERRORS[which]


def big_form(request: HttpRequest) -> HttpResponse:
    fields: Any = request.POST
    return HttpResponse(str(len(fields)))


urlpatterns = [
    path("echo", EchoView.as_view()),
    path("fail/<str:which>", FailView.as_view()),
    path("fail-outside/<str:which>", fail_outside_drf),
    path("form", big_form),
    path("", include("lakehouse_site.urls")),
]

handler400 = "lakehouse_site.problems.bad_request"
handler403 = "lakehouse_site.problems.permission_denied"
handler404 = "lakehouse_site.problems.page_not_found"
handler500 = "lakehouse_site.problems.server_error"
