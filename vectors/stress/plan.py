"""What a stress run does, and how much of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


def fresh_prefix() -> str:
    return f"stress-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class StressPlan:
    """
    Attributes
    ----------
    coordinators
        How many clients work side by side.
    items
        That each writes into the main index, before updates and merges.
    seed
        Of vectors, metadata and what is chosen; the order in which coordinators come to their turn is chance.
    prefix
        Of the names of all indexes of the run.
    """

    coordinators: int = 4
    items: int = 2_000
    dimension: int = 64
    seed: int = 0
    batch: int = 250
    merges: int = 3
    prefix: str = field(default_factory=fresh_prefix)

    @property
    def main(self) -> str:
        return f"{self.prefix}-main"

    @property
    def searches(self) -> int:
        """How often each searches in a phase of searching."""
        return min(100, max(10, self.items // 10))

    @property
    def merge_items(self) -> int:
        """How many items each fresh index has."""
        return max(1, self.items // 8)

    def fresh(self, coordinator: int, turn: int) -> str:
        return f"{self.prefix}-fresh-{coordinator}-{turn}"
