"""Near duplicates: candidates from MinHash, each verified by the exact Jaccard of its set of runs of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from distillation.groups import Groups
from distillation.minhash import has_lookalike
from distillation.set_index import SetIndex
from distillation.texts import Shingles


@dataclass(frozen=True, slots=True)
class Likeness:
    """A row is a near duplicate of another one."""

    row: int
    of: int
    jaccard: float


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """What is too close to what.

    Attributes
    ----------
    of_contaminated, of_kept
        One for each row that falls.
    links
        Pairs of rows that connect all rows which are alike, also those that both fall.
    """

    of_contaminated: list[Likeness] = field(default_factory=list)
    of_kept: list[Likeness] = field(default_factory=list)
    links: Sequence[tuple[int, int]] = ()


def find_near_duplicates(sets: Shingles, is_contaminated: NDArray[np.bool_], jaccard: float) -> NearDuplicates:
    """Say which rows fall, because they are too close to a contaminated row or to one that is kept.

    Parameters
    ----------
    sets
        The rows, in the order in which they survive. Not modified.
    is_contaminated
        Shape (n,), bool: rows that fell before, and pull their neighbours after them. Not modified.
    jaccard
        From this value on two rows are too close, above 0 up to 1.

    Returns
    -------
    NearDuplicates
        A row goes to the first contaminated row it is close to. Otherwise rows are taken in their order, and one that
        is close to rows kept so far falls, to the closest of them, of equally close ones to the first. No chains: a
        row that fell takes no other one with it. Rows without a word are close to none.
    """
    index = _index(sets, jaccard)
    links = _links(index)
    found = NearDuplicates(links=links)
    # Rows that no chain of likenesses connects are not alike, so only those in one group are compared.
    for rows in _groups(links):
        members = np.array(rows, np.int64)
        contaminated = members[is_contaminated[members]]
        kept, count = np.empty(len(rows), np.int64), 0
        for row in members[~is_contaminated[members]].tolist():
            index.hold(row)
            if (near := _first(index, row, index.may_be_alike(row, contaminated))) is not None:
                found.of_contaminated.append(near)
            elif (near := _closest(index, row, index.may_be_alike(row, kept[:count]))) is not None:
                found.of_kept.append(near)
            else:
                kept[count] = row
                count += 1
    return found


def find_links(sets: Shingles, jaccard: float) -> list[tuple[int, int]]:
    """Return pairs of rows that connect all rows with at least this Jaccard, and no others."""
    return _links(_index(sets, jaccard))


def _index(sets: Shingles, jaccard: float) -> SetIndex:
    return SetIndex(sets, np.flatnonzero(has_lookalike(sets)), jaccard)


def _links(index: SetIndex) -> list[tuple[int, int]]:
    """Return pairs that connect all rows of an index which are alike.

    Notes
    -----
    A row is compared with the members of a group only until it is like one of them, so a thousand copies of a text
    cost a thousand comparisons and not half a million.
    """
    groups: Groups[int] = Groups()
    listed: dict[int, dict[int, list[int]]] = {}  # run → group → rows
    links: list[tuple[int, int]] = []
    for row in index.by_size:
        near = [listed[run] for run in index.looked_up(row) if run in listed]
        if near:
            index.hold(row)
            for other in _one_of_each_group(index, groups, near):
                groups.link(row, other)
                links.append((other, row))
        name = groups.name_of(row)
        for run in index.listed(row):
            listed.setdefault(run, {}).setdefault(name, []).append(row)
    return links


def _one_of_each_group(index: SetIndex, groups: Groups[int], near: list[dict[int, list[int]]]) -> list[int]:
    """Return a row of each group that has one alike to the row in hand."""
    compared: set[int] = set()
    alike: dict[int, int] = {}
    for by_name in near:
        for name, others in by_name.items():
            current = groups.name_of(name)  # The group may have grown since its rows were put here.
            if current in alike:
                continue
            for other in others:
                if other not in compared and index.alike(other) is not None:
                    alike[current] = other
                    break
                compared.add(other)
    return list(alike.values())


def _groups(links: Sequence[tuple[int, int]]) -> Iterable[list[int]]:
    """Return the members of each group, ascending."""
    groups: Groups[int] = Groups()
    for one, other in links:
        groups.link(one, other)
    members: dict[int, list[int]] = {}
    for row in sorted({row for link in links for row in link}):
        members.setdefault(groups.name_of(row), []).append(row)
    return members.values()


def _first(index: SetIndex, row: int, others: Iterable[int]) -> Likeness | None:
    for other in others:
        jaccard = index.alike(other)
        if jaccard is not None:
            return Likeness(row, other, jaccard)
    return None


def _closest(index: SetIndex, row: int, others: Iterable[int]) -> Likeness | None:
    closest: Likeness | None = None
    for other in others:
        jaccard = index.alike(other)
        if jaccard is not None and (closest is None or jaccard > closest.jaccard):
            closest = Likeness(row, other, jaccard)
    return closest
