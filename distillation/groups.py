"""Things that belong together because they are linked, directly or through others."""

from __future__ import annotations

from typing import Generic, TypeVar

Name = TypeVar("Name", int, str)


class Groups(Generic[Name]):
    """Disjoint groups; each is named by the smallest of its members, in whatever order they were linked.

    References
    ----------
    R. Tarjan, J. van Leeuwen, "Worst-case analysis of set union algorithms", Journal of the ACM 31(2), 1984: the
    halving of paths, which alone keeps a search logarithmic.
    """

    def __init__(self) -> None:
        self._above: dict[Name, Name] = {}

    def name_of(self, member: Name) -> Name:
        """Return the smallest member of the group of `member`; one that was never linked is alone."""
        above = self._above
        while (parent := above.get(member, member)) != member:
            grandparent = above.get(parent, parent)
            above[member] = grandparent
            member = grandparent
        return member

    def link(self, one: Name, other: Name) -> Name:
        """Make one group of two, and return its name."""
        first, second = self.name_of(one), self.name_of(other)
        name, below = (first, second) if first <= second else (second, first)
        if below != name:
            self._above[below] = name
        return name
