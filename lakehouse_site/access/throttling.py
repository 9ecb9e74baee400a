"""Calls per caller and scope, when LAKEHOUSE_THROTTLE_RATES is set."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from lakehouse_site.access import gate
from lakehouse_site.access.permissions import required_scope
from lakehouse_site.access.tokens import Caller


class ScopeThrottle(SimpleRateThrottle):
    """The rate of the scope the call needs; a scope without a rate is not limited. Counts are kept by each process."""

    def __init__(self) -> None:
        """Do without the parent's: which rate applies is known only with the request."""

    def allow_request(self, request: Request, view: Any) -> bool:
        self.scope = required_scope(view, request.method or "")
        self.rate = settings.LAKEHOUSE_THROTTLE_RATES.get(self.scope)
        if self.rate is None:
            return True
        self.num_requests, self.duration = self.parse_rate(self.rate)
        allowed = super().allow_request(request, view)
        if not allowed:
            gate.log_refusal(request._request, "throttled", scope=self.scope)
        return allowed

    def get_cache_key(self, request: Request, view: Any) -> str:
        if isinstance(request.auth, Caller):
            who = f"token:{request.auth.token_id or 0}"
        elif request.user.is_authenticated:
            who = f"user:{request.user.pk}"
        else:
            # Not DRF's own ident: it believes X-Forwarded-For from anybody.
            who = f"address:{gate.decide(request._request).address}"
        return f"throttle:{self.scope}:{who}"
