"""Paths and options that calls share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from lakehouse_client.errors import BadArgument

API = "/v1/vectors"
DEFAULT_K = 10
# What the server takes in one search with many vectors.
MAX_QUERIES, MAX_HITS = 1_000, 100_000

Include: TypeAlias = Iterable[Literal["metadata", "vector"]]
Filter: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mmr:
    """Maximal marginal relevance: hits that are near the query and far from each other.

    Attributes
    ----------
    relevance
        1: only the distance to the query counts, 0: only that to the hits before.
    fetch_k
        From how many of the nearest items the k are chosen; the server's default is 4 k, 50 at least.
    """

    relevance: float = 0.5
    fetch_k: int | None = None

    def fields(self) -> dict[str, Any]:
        """Return it as it is sent."""
        return {"lambda": self.relevance} | ({} if self.fetch_k is None else {"fetch_k": self.fetch_k})


def index_path(name: str) -> str:
    """Return the path of an index.

    Raises
    ------
    BadArgument
        With such a name the path would be that of something else.
    """
    if not name.strip("."):
        raise BadArgument(f"{name!r} is no name of an index: 1 to 128 of A-Z a-z 0-9 . _ - after a letter or digit.")
    return f"{API}/index/{quote(name, safe='', errors='replace')}"


def include_list(include: Include | None) -> list[str] | None:
    return None if include is None else list(include)


def search_options(
    k: int, filter: Filter | None, exact: bool, include: Include | None, max_distance: float | None
) -> dict[str, Any]:
    # Absent rather than false or null: a server that does not know a field refuses it.
    return {
        "k": k,
        "filter": filter,
        "exact": exact or None,
        "include": include_list(include),
        "max_distance": max_distance,
    }


def queries_per_call(k: int) -> int:
    """Return how many vectors one search may have."""
    return max(1, min(MAX_QUERIES, MAX_HITS // max(1, k)))
