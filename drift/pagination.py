from __future__ import annotations

from rest_framework.pagination import LimitOffsetPagination


class DriftPagination(LimitOffsetPagination):
    """``?limit`` and ``?offset``; 100 rows a page unless told, 1,000 at most."""

    default_limit = 100
    max_limit = 1_000
