"""Random sequences of calls, each by a process chosen at random, compared with the dict model after every step."""

from __future__ import annotations

import random
from typing import Any, ClassVar

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.e2e.model import Call, Index, check_all, check_index
from tests.e2e.reference_filter import random_change, random_filter, random_metadata

SLOTS = ("a", "b", "c")
KEYS = [*(f"item-{i}" for i in range(48)), "é", "e\u0301", "\U0001f600", "\ufb00", "a/b", " ", '"', "null", "1"]
OUTLIERS = (1e20, 1e-20)

seeds = st.integers(0, 2**32 - 1)
slots = st.sampled_from(SLOTS)


def machine_settings(*, examples: int, steps: int) -> settings:
    """Settings for machines whose steps are calls to processes: no deadline, and no replay of a shared database."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


class IndexMachine(RuleBasedStateMachine):
    """Several processes on one database.

    Parameters
    ----------
    calls
        One function per process.
    prefix
        What the names of this machine's indexes start with.
    """

    weights: ClassVar[dict[str, int]] = {
        "add": 8,
        "delete": 4,
        "delete_matching": 3,
        "change_metadata": 4,
        "merge": 8,
        "create": 2,
        "drop": 1,
        "create_again": 2,
    }

    def __init__(self, calls: list[Call], prefix: str) -> None:
        super().__init__()
        self.calls = calls
        self.prefix = prefix
        self.indexes: dict[str, Index] = {}
        self.touched: set[str] = set()
        self.graph_answers = 0
        self.merges = 0
        self.rng = random.Random(0)

    @initialize(seed=seeds)
    def begin(self, seed: int) -> None:
        self._begin(seed)

    def _begin(self, seed: int) -> None:
        self.rng = random.Random(seed)
        distance = self.rng.choice(("euclidean", "dot"))
        self._create("a", dimension=4, distance=distance)
        self._create("b", dimension=4, distance=self.rng.choice((distance, distance, distance, "cosine")))
        for slot in ("a", "a", "b"):
            self._add(slot, 30, self.rng)

    # One rule for all: left to itself Hypothesis drops and creates indexes most of the time and hardly ever merges two.
    @rule(turn=st.integers(0, 99), slot=slots, seed=seeds)
    def step(self, turn: int, slot: str, seed: int) -> None:
        choices = [name for name, weight in self.weights.items() for _ in range(weight)]
        getattr(self, choices[turn * len(choices) // 100])(slot, random.Random(seed))

    def create(self, slot: str, rng: random.Random) -> None:
        # Like another index more often than not, so that merges find partners.
        likes = sorted({index.distance for index in self.indexes.values()} or {"euclidean"})
        distance = rng.choice((rng.choice(likes), rng.choice(likes), "euclidean", "cosine", "dot"))
        self._create(slot, dimension=rng.choice((4, 4, 4, 8)), distance=distance)

    def drop(self, slot: str, rng: random.Random) -> None:
        name = self.prefix + slot
        status, _ = self.call("drop", name, {})
        assert status == (204 if self.indexes.pop(name, None) else 404)

    def create_again(self, slot: str, rng: random.Random) -> None:
        """Drop and create under the same name, by two processes, with items at once."""
        name = self.prefix + slot
        old = self.indexes.pop(name, None)
        if old is not None:
            assert self.call("drop", name, {})[0] == 204
        self._create(slot, dimension=rng.choice((4, 4, 8)), distance=old.distance if old else "euclidean")
        self.add(slot, rng)

    def add(self, slot: str, rng: random.Random) -> None:
        self._add(slot, rng.choice((0, 1, 5, 30, 30)), rng)

    def _add(self, slot: str, size: int, rng: random.Random) -> None:
        name = self.prefix + slot
        index = self.indexes.get(name)
        if index is None:
            assert self.call("add", name, {"items": []})[0] == 404
            return
        items = self._items(index, size, rng)
        status, answer = self.call("add", name, {"items": items})
        assert status == 200, answer
        assert {key: answer[key] for key in ("added", "updated", "count")} == index.add(items)
        self.touched.add(name)

    def delete(self, slot: str, rng: random.Random) -> None:
        name = self.prefix + slot
        index = self.indexes.get(name)
        keys = ["never-there", *rng.sample(KEYS, 3)]
        if index is None:
            assert self.call("delete", name, {"ids": keys})[0] == 404
            return
        keys += rng.sample(sorted(index.items), int(rng.choice((0.1, 0.3, 0.9)) * len(index.items)))
        rng.shuffle(keys)
        status, answer = self.call("delete", name, {"ids": keys})
        assert status == 200, answer
        assert {key: answer[key] for key in ("deleted", "missing")} == index.delete(keys)
        self.touched.add(name)

    def delete_matching(self, slot: str, rng: random.Random) -> None:
        name = self.prefix + slot
        index, wanted = self.indexes.get(name), random_filter(rng)
        status, answer = self.call("delete", name, {"filter": wanted})
        if index is None:
            assert status == 404
            return
        assert status == 200, answer
        gone = list(index.where(wanted).items)
        assert {key: answer[key] for key in ("deleted", "missing")} == index.delete(gone), wanted
        self.touched.add(name)

    def change_metadata(self, slot: str, rng: random.Random) -> None:
        name = self.prefix + slot
        index = self.indexes.get(name)
        keys = ["never-there", *rng.sample(KEYS, rng.choice((1, 10, 40)))]
        changes = [{"id": key, "metadata": random_change(rng)} for key in keys]
        status, answer = self.call("patch", name, {"items": changes})
        if index is None:
            assert status == 404
            return
        assert status == 200, answer
        assert {key: answer[key] for key in ("updated", "missing")} == index.patch(changes)
        self.touched.add(name)

    def merge(self, slot: str, rng: random.Random) -> None:
        dest = rng.choice(SLOTS)
        names = self.prefix + slot, self.prefix + dest
        on_conflict, clear = rng.choice(("skip", "overwrite")), rng.random() < 0.5
        body = {"dest": names[1], "on_conflict": on_conflict, "clear_source": clear}
        status, answer = self.call("merge", names[0], body)
        mine, theirs = (self.indexes.get(name) for name in names)
        if slot == dest:
            assert status == 400
        elif mine is None or theirs is None:
            assert status == 404
        elif (mine.dimension, mine.distance) != (theirs.dimension, theirs.distance):
            assert status == 400
        else:
            assert status == 200, answer
            counts = mine.merge_into(theirs, overwrite=on_conflict == "overwrite", clear_source=clear)
            assert {key: answer[key] for key in counts} == counts
            self.touched.update(names)
            self.merges += 1

    @invariant()
    def a_process_sees_what_was_written(self) -> None:
        names = self.touched & set(self.indexes)
        if self.indexes:
            names.add(self.rng.choice(sorted(self.indexes)))
        for name in sorted(names):
            self.graph_answers += check_index(self.indexes[name], name, self.call, self.rng)
        for name in sorted({self.prefix + slot for slot in SLOTS} - set(self.indexes)):
            assert self.call("search", name, {"vector": [1, 0, 0, 0]})[0] == 404
        self.touched.clear()

    def teardown(self) -> None:
        try:
            for call in self.calls:
                check_all(self.indexes, self.prefix, call, self.rng)
        finally:
            for slot in SLOTS:
                self.calls[0]("drop", self.prefix + slot, {})

    def call(self, command: str, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Have one of the processes do it."""
        return self.rng.choice(self.calls)(command, name, body)

    def _create(self, slot: str, *, dimension: int, distance: str) -> None:
        name = self.prefix + slot
        status, answer = self.call("create", name, {"dimension": dimension, "distance": distance})
        if name in self.indexes:
            assert status == 409
            return
        assert status == 201, answer
        self.indexes[name] = Index(dimension, distance)
        self.touched.add(name)

    def _items(self, index: Index, size: int, rng: random.Random) -> list[dict[str, Any]]:
        """Return one batch: new items and known ones, some twice, some with a vector that is stored already."""
        items: list[dict[str, Any]] = []
        for i in range(size):
            again = items and rng.random() < 0.1
            item: dict[str, Any] = {"id": rng.choice(items)["id"] if again else rng.choice(KEYS)}
            stored = index.items.get(item["id"])
            if stored is not None and rng.random() < 0.25:
                item["vector"] = stored.vector.tolist()
            elif index.items and rng.random() < 0.1:
                item["vector"] = index.items[rng.choice(sorted(index.items))].vector.tolist()
            else:
                item["vector"] = _vector(index.dimension, rng)
            if rng.random() < 0.8:
                item["metadata"] = None if rng.random() < 0.2 else random_metadata(i, rng)
            items.append(item)
        return items


def _vector(dimension: int, rng: random.Random) -> list[float]:
    if rng.random() < 0.3:
        # Few values, so that distances tie; never all zeros, which cosine refuses.
        numbers = [1.0, *(float(rng.randint(-1, 1)) for _ in range(dimension - 1))]
    else:
        numbers = [rng.uniform(-2, 2) for _ in range(dimension)]
    scale = rng.choice(OUTLIERS) if rng.random() < 0.1 else 1.0
    return np.array([number * scale for number in numbers], np.float32).tolist()
