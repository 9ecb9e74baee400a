"""The door of the whole site: request ids, /health, source addresses, host names, security headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.core.exceptions import BadRequest, DisallowedHost
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware import csrf

from catalog.protocol_errors import is_protocol_path
from lakehouse_site import health, logs
from lakehouse_site.access import gate
from lakehouse_site.http import admit_chunked, discard_small_body
from lakehouse_site.in_flight import counted
from lakehouse_site.problems import for_clients_of_the_catalog, problem_response, response_for

# No inline script or style and nothing from elsewhere; `data:` images are Bootstrap's and Swagger's icons.
_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HTML_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class DoorMiddleware:
    """Decides what no view may forget. It must stay the first in MIDDLEWARE."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = logs.begin_request(request.META)
        if request.path_info in health.PATHS:
            response: HttpResponseBase = health.answer(request)
        else:
            with counted():
                response = self._admit(request)
        if response.status_code >= 400 and is_protocol_path(request.path_info):
            for_clients_of_the_catalog(response)
        headers = response.headers
        if isinstance(response, HttpResponse) and response.status_code not in (204, 304):
            headers["Content-Length"] = str(len(response.content))  # else the server sends it in chunks
        headers["X-Request-ID"] = request_id
        headers["X-Content-Type-Options"] = "nosniff"
        if headers.get("Content-Type", "").startswith("text/html"):
            for name, value in _HTML_HEADERS.items():
                headers.setdefault(name, value)
        return response

    def _admit(self, request: HttpRequest) -> HttpResponseBase:
        try:
            refusal = gate.decide(request).refusal
            if refusal is not None:
                return problem_response(403, code=refusal.code, detail=refusal.detail)
            request.get_host()
            if "HTTP_TRANSFER_ENCODING" in request.META:
                admit_chunked(request)
        except DisallowedHost as error:
            gate.log_refusal(request, "bad_host", host=request.META.get("HTTP_HOST", "")[:200])
            return response_for(error) or problem_response(400, code="bad_host", detail="Bad host.")
        except (BadRequest, DatabaseError) as error:
            # Handled here and not by Django's handler, which is outside of this class and knows no request id.
            known = response_for(error)
            if known is None:
                raise
            return known
        response = self.get_response(request)
        if response.status_code >= 400 and request.method != "GET":
            discard_small_body(request)
        return response


class _ForPeople:
    """Leaves out a middleware for API calls without a cookie: there is no session it could find or protect."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase
        if "HTTP_COOKIE" not in request.META and request.path_info.startswith(("/v1/", "/iceberg/")):
            response = self.get_response(request)
        else:
            response = super().__call__(request)  # type: ignore[misc]
        return response


class SessionMiddleware(_ForPeople, sessions.SessionMiddleware):
    pass


class CsrfViewMiddleware(_ForPeople, csrf.CsrfViewMiddleware):
    pass


class AuthenticationMiddleware(_ForPeople, auth.AuthenticationMiddleware):
    pass


class MessageMiddleware(_ForPeople, messages.MessageMiddleware):
    pass
