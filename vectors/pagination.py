from __future__ import annotations

from rest_framework.pagination import LimitOffsetPagination


class IndexPagination(LimitOffsetPagination):
    """``?limit`` and ``?offset``; 100 indexes a page unless told, 1,000 at most."""

    default_limit = 100
    max_limit = 1_000
