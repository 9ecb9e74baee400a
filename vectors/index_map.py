"""A map of an index: a sample of its items as points of a plane, in groups by a key of their metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vectors import rows
from vectors.filters import parse_metadata
from vectors.groups import ABSENT, OTHER, Grouping, group_by, keys_to_group_by, telling_key
from vectors.pictures import Scatter, scatter
from vectors.projection import Plane, project
from vectors.rows import IndexState

MAX_POINTS = 1_000


@dataclass(frozen=True, slots=True)
class Group:
    """Items of the map that have the same value.

    `x` and `y` are the middle of their points in the plane, `spread` is the root mean square distance from it.
    """

    colour: str
    label: str
    count: int
    share: float
    x: float
    y: float
    spread: float


@dataclass(frozen=True, slots=True)
class Point:
    """One item on the map, with the colour and the label of its group."""

    key: str
    x: float
    y: float
    group: str
    label: str


@dataclass(frozen=True, slots=True)
class IndexMap:
    """Points, their groups, and the keys that items could be grouped by instead."""

    points: tuple[Point, ...]
    groups: tuple[Group, ...]
    keys: tuple[str, ...]
    key: str | None
    picture: Scatter
    variance_share: float


def draw_map(*, state: IndexState, key: str | None = None) -> IndexMap:
    """Return a map of up to `MAX_POINTS` items, evenly taken from all in the order of their ids.

    Parameters
    ----------
    state
        The index.
    key
        The key of the metadata to group by; None for the one that tells most.
    """
    sample = rows.every_nth(state.id, -(-max(state.live_count, 1) // MAX_POINTS), MAX_POINTS)
    vectors = np.frombuffer(b"".join([row.vector or b"" for row in sample]), "<f4").reshape(-1, state.dimension)
    plane = project(vectors, state.distance)
    metadata = [_parsed(row.metadata) for row in sample]
    keys = keys_to_group_by(metadata)
    chosen = telling_key(metadata, keys) if key is None else key
    grouping = group_by(metadata, chosen) if chosen else Grouping(("items",), (0,) * len(sample), 1)
    picture = scatter(plane.points)
    points = tuple(
        Point(row.key, x, y, _colour(grouping, group), grouping.labels[group])
        for row, (x, y), group in zip(sample, picture.points, grouping.of, strict=True)
    )
    return IndexMap(points, _groups(grouping, plane), tuple(keys), chosen, picture, plane.share)


def _parsed(text: str | None) -> Any:
    try:
        return parse_metadata(text)
    except (ValueError, RecursionError):  # nothing that a map can group by
        return None


def _groups(grouping: Grouping, plane: Plane) -> tuple[Group, ...]:
    of = np.array(grouping.of, np.intp)
    found = []
    for number, label in enumerate(grouping.labels):
        inside = plane.points[of == number]
        if not len(inside):
            continue
        middle = inside.mean(axis=0)
        spread = float(np.sqrt(((inside - middle) ** 2).sum(axis=1).mean()))
        facts = (len(inside), len(inside) / len(of), float(middle[0]), float(middle[1]), spread)
        found.append(Group(_colour(grouping, number), label, *facts))
    return tuple(found)


def _colour(grouping: Grouping, group: int) -> str:
    if group < grouping.n_own:
        return str(group)
    return {OTHER: "other", ABSENT: "none"}[grouping.labels[group]]
