"""Tokens as clients of the protocol ask for them: the API token that is sent, if it is a valid one, comes back."""

from __future__ import annotations

import base64
import binascii
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote

from django.http import HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from catalog.protocol.views import ProtocolView, dump, respond
from catalog.recorded import Answer
from lakehouse_site.access import selectors
from lakehouse_site.access.permissions import SourceAllowed
from lakehouse_site.http import BinaryParser

_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  the name of a kind of token
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_MAX_FIELDS = 32


class FormParser(BinaryParser):
    media_type = "application/x-www-form-urlencoded"


class TokensView(ProtocolView):
    """``client_secret`` or ``subject_token`` is an API token; what is answered is the same token."""

    # Whoever asks for a token has none yet; the address layer holds all the same.
    authentication_classes: ClassVar[tuple[type[BaseAuthentication], ...]] = ()  # type: ignore[misc]
    permission_classes: ClassVar[tuple[type[BasePermission], ...]] = (SourceAllowed,)  # type: ignore[misc]
    parser_classes: ClassVar[tuple[type[BaseParser], ...]] = (FormParser,)  # type: ignore[misc]

    def post(self, request: Request, **names: str) -> HttpResponse:
        sent: Any = request.data
        try:
            form = parse_qs(sent.content.decode(), max_num_fields=_MAX_FIELDS)
        except ValueError:
            return _refusal(400, "invalid_request", "The form cannot be read.")
        kind = _one(form, "grant_type")
        if kind == "client_credentials":
            token = _one(form, "client_secret") or _secret_of_header(request.META.get("HTTP_AUTHORIZATION", ""))
        elif kind == _EXCHANGE:
            token = _one(form, "subject_token")
        else:
            detail = f"grant_type must be client_credentials or {_EXCHANGE}."
            return _refusal(400, "unsupported_grant_type" if kind else "invalid_request", detail)
        if not token:
            return _refusal(400, "invalid_request", "client_secret, or subject_token, must be an API token.")
        if selectors.token_layer_is_on() and selectors.find_caller(token.encode("utf-8", "replace"))[0] is None:
            return _refusal(401, "invalid_client", "The token is not valid: unknown, expired or revoked.")
        body = {"access_token": token, "token_type": "bearer", "issued_token_type": _ACCESS_TOKEN}
        return respond(Answer(200, dump(body)), {"Cache-Control": "no-store"})


def _one(form: dict[str, Any], name: str) -> str:
    return str(form.get(name, [""])[0])


def _secret_of_header(header: str) -> str:
    """Return the password of an ``Authorization: Basic`` header; ``""`` if there is none."""
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return unquote(base64.b64decode(value, validate=True).decode().partition(":")[2])
    except (binascii.Error, UnicodeError):
        return ""


def _refusal(status: int, error: str, detail: str) -> HttpResponse:
    """Answer in OAuth's own shape (RFC 6749, 5.2)."""
    response = respond(Answer(status, dump({"error": error, "error_description": detail})))
    response.headers["Content-Type"] = "application/json"
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
