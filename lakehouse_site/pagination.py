"""Pages by ``?limit`` and ``?offset``."""

from __future__ import annotations

from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request

from lakehouse_site.errors import InvalidInput

MAX_PAGE = 1_000
DEFAULT_PAGE = 100
_MAX_OFFSET = 2**53
"""The last whole number that every reader of JSON holds exactly; databases take more."""


class Pages(LimitOffsetPagination):
    """100 entries a page unless told, 1,000 at most. What is no number is refused; DRF's own takes the default."""

    default_limit = DEFAULT_PAGE
    max_limit = MAX_PAGE

    def get_limit(self, request: Request) -> int:
        return _whole(request, "limit", 1, MAX_PAGE, DEFAULT_PAGE)

    def get_offset(self, request: Request) -> int:
        return _whole(request, "offset", 0, _MAX_OFFSET, 0)


def _whole(request: Request, name: str, low: int, high: int, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and low <= int(text) <= high):
        raise InvalidInput.at(f"?{name}", "range", f"Expected a whole number from {low} to {high}.")
    return int(text)
