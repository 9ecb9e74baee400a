"""What a caller may do. These two classes are the defaults of every view; a view only says what its methods need.

``required_scopes``
    ``{"GET": "read", "POST": "write"}``. A method that is not listed needs read if it is safe, else admin.
``django_permissions``
    ``{"read": "app.view_thing", …}``: what staff signed in to the admin need for each scope. Not listed: superusers.

``concerns_all_indexes``
    True where a call is about more than one index or none: a token that is limited to some indexes is refused.

If the view's path has ``name``, it is an index name, and the token's pattern must match it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from lakehouse_site.access import gate, selectors
from lakehouse_site.access.tokens import ADMIN, READ, Caller


class SourceAllowed(BasePermission):
    """The address layer once more, so that it also holds where the middleware is not installed."""

    def has_permission(self, request: Request, view: Any) -> bool:
        refusal = gate.decide(request._request).refusal
        if refusal is not None:
            # Raised, not returned: DRF would turn False into a 401 for a caller without a token.
            raise PermissionDenied(refusal.detail, code=refusal.code)
        return True


class ScopeAllowed(BasePermission):
    """The token layer: a token of sufficient scope, or staff with the Django permission; open when it is off."""

    def has_permission(self, request: Request, view: Any) -> bool:
        caller = request.auth
        scope = required_scope(view, request.method or "")
        if isinstance(caller, Caller):
            if not caller.may(scope):
                _refuse(
                    request, "scope_too_small", f"This needs a token of scope {scope!r}; yours has {caller.scope!r}."
                )
            if caller.index_pattern and getattr(view, "concerns_all_indexes", False):
                _refuse(request, "index_not_covered", "Your token is for some indexes only; this needs one for all.")
            name = view.kwargs.get("name")
            if name is not None:
                require_index(request, name)
            return True
        if not selectors.token_layer_is_on():
            return True
        if not request.user.is_authenticated:
            gate.log_refusal(request._request, "token_missing")
            raise NotAuthenticated
        if not _staff_may(request.user, view, scope):
            _refuse(request, "permission_denied", f"Your account lacks the permission for {scope!r} here.")
        return True


def required_scope(view: Any, method: str) -> str:
    """Return the scope a method of a view needs."""
    scopes: Mapping[str, str] = getattr(view, "required_scopes", {})
    # DRF answers HEAD with the view's GET, so it needs what GET needs.
    listed = scopes.get(method) or (scopes.get("GET") if method == "HEAD" else None)
    return listed or (READ if method in SAFE_METHODS else ADMIN)


def require_index(request: Request, name: str) -> None:
    """Raise PermissionDenied unless the caller's token covers the index ``name``; for names that stand in a body."""
    caller = request.auth
    if isinstance(caller, Caller) and not caller.sees(name):
        _refuse(request, "index_not_covered", "Your token does not cover an index of this name.")


def index_visible(request: Request) -> Callable[[str], bool] | None:
    """Return which index names the caller may know; ``None`` for all."""
    caller = request.auth
    return caller.sees if isinstance(caller, Caller) and caller.index_pattern else None


def _staff_may(user: Any, view: Any, scope: str) -> bool:
    permission = getattr(view, "django_permissions", {}).get(scope)
    return bool(user.has_perm(permission) if permission else user.is_superuser)


def _refuse(request: Request, code: str, detail: str) -> None:
    caller = request.auth
    who = {"token_name": caller.name} if isinstance(caller, Caller) else {"user": str(request.user)}
    gate.log_refusal(request._request, code, **who)
    raise PermissionDenied(detail, code=code)
