"""Who is calling: a bearer token, or staff signed in to the admin."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from lakehouse_site.access import selectors
from lakehouse_site.access.gate import log_refusal
from lakehouse_site.access.tokens import Caller, bearer_token

_NOBODY = AnonymousUser()


class BearerAuthentication(BaseAuthentication):
    """``Authorization: Bearer <token>``. `request.auth` is then a `Caller`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Caller] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if not header or not selectors.token_layer_is_on():
            return None
        token = bearer_token(header)
        if token is None:
            return None
        caller, fault = selectors.find_caller(token)
        if caller is None:
            log_refusal(request._request, f"token_{fault}")
            # One text for every fault: a stranger learns nothing about which tokens there were.
            raise AuthenticationFailed("The token is not valid: unknown, expired or revoked.", code="token_not_valid")
        if caller.token_id is not None:
            selectors.note_use(caller.token_id)
        return _NOBODY, caller

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class StaffSessionAuthentication(SessionAuthentication):
    """The admin's session, for staff only, with CSRF; without the cookie no session is looked for."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        django_request = request._request
        if "HTTP_COOKIE" not in django_request.META or settings.SESSION_COOKIE_NAME not in django_request.COOKIES:
            return None
        user = getattr(django_request, "user", None)
        if user is None or not user.is_active or not user.is_staff:
            return None
        self.enforce_csrf(request)
        return user, None
