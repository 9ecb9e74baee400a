"""Errors as `application/problem+json` (RFC 9457): the only place that knows which error has which status."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from rest_framework import exceptions as drf

from catalog.errors import NotGranted, QueryTimedOut, Unprocessable
from catalog.protocol_errors import protocol_error
from lakehouse_site import logs
from lakehouse_site.errors import (
    Conflict,
    DatabaseUnavailable,
    Fault,
    InvalidInput,
    LakehouseError,
    NotFound,
    TooLarge,
    Unavailable,
)
from lakehouse_site.outages import code_of, is_expected, outage_of, reason_of

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"

_STATUS: dict[type[LakehouseError], int] = {
    InvalidInput: 400,
    NotGranted: 403,
    NotFound: 404,
    QueryTimedOut: 408,
    Conflict: 409,
    TooLarge: 413,
    Unprocessable: 422,
    LakehouseError: 500,
    Unavailable: 503,
}
_HINTS = {
    401: (
        "Send the header `Authorization: Bearer <token>` with a valid token. "
        "In a browser, staff may sign in at /admin/ first."
    ),
    404: "There is nothing at this path. GET / says where things are.",
    500: "Something failed here. The server's log has it under this request_id.",
}
_BAD_HOST = (
    "The Host header is not a name of this service. If it should be, add it to LAKEHOUSE_ALLOWED_HOSTS "
    "where the service is started."
)


def problem_response(
    status: int,
    *,
    code: str,
    detail: str,
    title: str | None = None,
    errors: Iterable[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return the one shape every 4xx and 5xx has."""
    body: dict[str, Any] = {
        "type": f"urn:lakehouse:problem:{code}",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": logs.request_id.get(),
    }
    faults = [{"pointer": fault.pointer, "code": fault.code, "detail": fault.detail} for fault in errors]
    if faults:
        body["errors"] = faults
    return HttpResponse(_dump(body), status=status, content_type=CONTENT_TYPE, headers=dict(headers or {}))


def for_clients_of_the_catalog(response: HttpResponseBase) -> None:
    """Give a problem the shape that the Iceberg protocol has for it; whatever is no problem stays as it is."""
    if isinstance(response, HttpResponse) and response.headers.get("Content-Type") == CONTENT_TYPE:
        response.content = _dump(protocol_error(orjson.loads(response.content)))
        response.headers["Content-Type"] = "application/json"


def response_for(error: BaseException | None) -> HttpResponse | None:
    """Return the answer to a known error; ``None`` for one that nobody foresaw."""
    if error is not None and (outage := outage_of(error)) is not None:
        return _from_outage(outage, error)
    if isinstance(error, LakehouseError):
        return _from_lakehouse(error)
    if isinstance(error, drf.APIException):
        return _from_drf(error)
    return _from_django(error)


def _from_outage(outage: DatabaseUnavailable, error: BaseException) -> HttpResponse:
    """Answer that the database is away, with one line in the log: what is expected to happen needs no traceback."""
    facts = {"sql_code": code_of(error), "reason": reason_of(error)}
    logger.error("database unavailable", exc_info=None if is_expected(error) else error, extra=facts)
    response = _from_lakehouse(outage)
    # Django's own line about this answer would repeat it, outside of DRF with the traceback.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _from_lakehouse(error: LakehouseError) -> HttpResponse:
    status = next(_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS)
    if status == 500:
        logger.error("call failed", exc_info=error, extra={"code": error.code})
    return problem_response(
        status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        errors=error.faults if isinstance(error, InvalidInput) else (),
        headers={"Retry-After": str(error.retry_after_seconds)} if isinstance(error, Unavailable) else None,
    )


def _from_drf(error: drf.APIException) -> HttpResponse:
    headers: dict[str, str] = {}
    if (challenge := getattr(error, "auth_header", None)) is not None:
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, drf.Throttled):
        headers["Retry-After"] = str(max(1, int(getattr(error, "wait", None) or 1)))
    if isinstance(error, drf.ValidationError):
        return _from_lakehouse(InvalidInput(list(_faults(error.detail, ""))))
    if isinstance(error, drf.UnsupportedMediaType):
        detail = f"{error.detail} Send `Content-Type: application/json`."
    elif isinstance(error, drf.NotAuthenticated):
        detail = _HINTS[401]
    elif isinstance(error, drf.NotFound):
        detail = _HINTS[404]
    else:
        detail = str(error.detail)
    return problem_response(error.status_code, code=str(error.get_codes()), detail=detail, headers=headers)


def _faults(detail: Any, pointer: str) -> Iterator[Fault]:
    """Walk the nested lists and dicts of a ValidationError."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            place = (
                pointer if key == "non_field_errors" else f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
            )
            yield from _faults(value, place)
    elif isinstance(detail, list):
        for position, value in enumerate(detail):
            yield from _faults(value, f"{pointer}/{position}" if isinstance(value, (dict, list)) else pointer)
    else:
        yield Fault(pointer, str(getattr(detail, "code", "invalid")), str(detail))


def _from_django(error: BaseException | None) -> HttpResponse | None:
    if isinstance(error, Http404):
        return problem_response(404, code="not_found", detail=_HINTS[404])
    if isinstance(error, PermissionDenied):
        return problem_response(403, code="permission_denied", detail=str(error) or "You may not do this.")
    if isinstance(error, RequestDataTooBig):
        return problem_response(413, code="too_large", title=TooLarge.title, detail="The body is too large.")
    if isinstance(error, DisallowedHost):
        return problem_response(400, code="bad_host", detail=_BAD_HOST)
    if isinstance(error, UnreadablePostError):
        return problem_response(400, code="body_incomplete", detail="The connection ended before the body did.")
    if isinstance(error, (SuspiciousOperation, BadRequest)):
        return problem_response(400, code="bad_request", detail=str(error) or "The request is malformed.")
    return None


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Answer for DRF; ``None`` makes it raise, and `server_error` answers."""
    return response_for(error)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return response_for(exception) or problem_response(400, code="bad_request", detail="The request is malformed.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return response_for(exception) or problem_response(403, code="permission_denied", detail="You may not do this.")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(404, code="not_found", detail=_HINTS[404])


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what no view caught; Django has called this while it handles the exception, and logs its traceback."""
    known = response_for(sys.exc_info()[1])
    return known or problem_response(500, code="internal_error", detail=_HINTS[500])


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return problem_response(
        403, code="csrf_failed", detail=f"{reason} Reload the page and try again; cookies must be allowed.".strip()
    )


def _dump(body: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:
        # A pointer or an id may hold a lone surrogate; the standard library can write it escaped.
        return json.dumps(body, default=str).encode("ascii")
