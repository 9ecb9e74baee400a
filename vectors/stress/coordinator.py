"""One of several clients that work on the same index at the same time, each with ids of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lakehouse_client import Client, Item
from vectors.stress.ledger import Ledger, Metadata
from vectors.stress.plan import StressPlan
from vectors.stress.record import Record, WrongAnswer

NEAR_ZERO = 1e-5
UPDATED_SHARE = 0.25
DELETED_SHARE = 0.2
CONFLICT_SHARE = 0.1


class Coordinator:
    """Writes, searches, merges and deletes, and keeps the books of its own items.

    Parameters
    ----------
    number
        Which of them it is; its ids begin with it.
    client
        Its own connection to the server.
    """

    def __init__(self, number: int, plan: StressPlan, client: Client, record: Record) -> None:
        self.number = number
        self.main = Ledger()
        self.fresh: dict[str, Ledger] = {}
        self._plan = plan
        self._client = client
        self._record = record
        self._index = client.index(plan.main)
        self._random = random.Random(f"{plan.seed} {number}")  # noqa: S311 (no secret)
        self._numbers = np.random.default_rng([plan.seed, number])

    def write(self) -> None:
        """Add this coordinator's items to the main index, searching now and then."""
        keys = [f"c{self.number}-{i:06}" for i in range(self._plan.items)]
        for start in range(0, len(keys), self._plan.batch):
            self._add(self._plan.main, self.main, keys[start : start + self._plan.batch])
            self._find_some(3)

    def search(self) -> None:
        self._find_some(self._plan.searches)

    def update(self) -> None:
        """Give some items new vectors; some get new metadata with them, the others keep theirs."""
        keys = self._some(UPDATED_SHARE)
        for start in range(0, len(keys), self._plan.batch):
            some = keys[start : start + self._plan.batch]
            kept: list[Metadata] = [None if i % 2 else self._metadata(key) for i, key in enumerate(some)]
            self._add(self._plan.main, self.main, some, kept)
            self._find_some(3)

    def merge(self) -> None:
        """Fill fresh indexes and move their items into the main one; what is there already stays behind."""
        for turn in range(self._plan.merges):
            self._merge(self._plan.fresh(self.number, turn), turn)
            self._find_some(3)

    def delete(self) -> None:
        """Delete some items, and see that no search finds them afterwards."""
        keys = self._some(DELETED_SHARE)
        for start in range(0, len(keys), self._plan.batch):
            self._delete(keys[start : start + self._plan.batch])

    def mix(self) -> None:
        """Do all of it in an order of one's own."""
        acts: list[Callable[[], None]] = [self.update, self.delete, self._merge_once_more, self.search]
        self._random.shuffle(acts)
        for act in acts:
            act()

    def _merge_once_more(self) -> None:
        self._merge(self._plan.fresh(self.number, self._plan.merges), self._plan.merges)

    def _merge(self, name: str, turn: int) -> None:
        plan = self._plan
        new = [f"c{self.number}-m{turn}-{i:06}" for i in range(plan.merge_items)]
        both = self._some(CONFLICT_SHARE)[: plan.merge_items]
        ledger = self.fresh[name] = Ledger()
        with self._record.call("create", name):
            self._client.create_index(name, plan.dimension)
        self._add(name, ledger, new + both)
        moved = {key: ledger.items[key] for key in new if key in ledger.items}

        def doubt() -> None:
            self.main.doubted(new)
            ledger.doubted(new)

        with self._record.call("merge", name, doubt):
            answer = self._client.index(name).merge_into(plan.main, clear_source=True)
            self.main.items |= moved
            ledger.removed(moved)
            counts = answer.added, answer.deleted, answer.skipped
            _require(counts == (len(moved), len(moved), len(both)), f"added, deleted and skipped are {counts}")

    def _delete(self, keys: Sequence[str]) -> None:
        vectors = {key: np.frombuffer(self.main.items[key].vector, "<f4") for key in keys}
        with self._record.call("delete", f"{len(keys)} items", lambda: self.main.doubted(keys)):
            answer = self._index.delete(keys)
            self.main.removed(keys)
            _require(answer.deleted == len(keys), f"{answer.deleted} of {len(keys)} items were deleted")
        for key in keys[:3]:
            if key not in self.main.unsure:
                self._miss(key, vectors[key])

    def _add(self, name: str, ledger: Ledger, keys: Sequence[str], metadata: list[Metadata] | None = None) -> None:
        vectors = self._numbers.standard_normal((len(keys), self._plan.dimension), dtype=np.float32)
        fields = [self._metadata(key) for key in keys] if metadata is None else metadata
        known = sum(key in ledger.items for key in keys)
        with self._record.call("add", f"{len(keys)} items to {name}", lambda: ledger.doubted(keys)):
            items = (Item(*row) for row in zip(keys, vectors, fields, strict=True))
            answer = self._client.index(name).add(items, batch_items=self._plan.batch)
            ledger.wrote(keys, vectors, fields)
            _require(answer.added + answer.updated == len(keys), f"{answer.added} added, {answer.updated} updated")
            # A batch that was sent twice counts as updated, so fewer may be said to be new, never more.
            _require(answer.added <= len(keys) - known, f"{answer.added} are said to be new, {known} were known")

    def _find_some(self, count: int) -> None:
        for key in self._random.choices(list(self.main.items), k=count) if self.main.items else ():
            written = self.main.items[key]
            with self._record.call("search", key):
                hits = self._index.search(np.frombuffer(written.vector, "<f4"), k=3).hits
                _require(bool(hits) and hits[0].id == key, f"its own vector finds {[hit.id for hit in hits]}")
                _require(hits[0].distance < NEAR_ZERO, f"it is {hits[0].distance} from itself")
                _require(hits[0].metadata == written.metadata, f"it has metadata {hits[0].metadata}")

    def _miss(self, key: str, vector: Any) -> None:
        with self._record.call("search", f"deleted {key}"):
            hits = self._index.search(vector, k=3).hits
            _require(key not in [hit.id for hit in hits], "it is found after it was deleted")

    def _some(self, share: float) -> list[str]:
        return self._random.sample(sorted(self.main.items), round(len(self.main.items) * share))

    def _metadata(self, key: str) -> Metadata:
        return {"coordinator": self.number, "key": key, "n": self._random.randrange(1_000), "tags": ["a", "é"]}


def _require(is_right: bool, otherwise: str) -> None:
    if not is_right:
        raise WrongAnswer(otherwise)
