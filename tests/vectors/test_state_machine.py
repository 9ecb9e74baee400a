"""Two processes on one database, each with graphs from 8 items on, played by two `Replicas` in this process.

What their background threads would do is a step of its own here, so a graph can be at any stage when others write.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import seed as with_seed
from hypothesis.stateful import initialize, invariant, run_state_machine_as_test

from tests.e2e.machine import IndexMachine, machine_settings, seeds
from tests.e2e.model import Call
from tests.e2e.worker import answer
from vectors import graph, indexes, merge, replica, rows, search, writes
from vectors.replicas import Replicas
from vectors.rows import IndexState

GRAPH_MIN_ITEMS = 8


class QuietReplicas(Replicas):
    """Replicas whose background work is done when the test says so."""

    def _start(self) -> None:
        pass


def call_of(own: Replicas, patch: pytest.MonkeyPatch) -> Call:
    """Return the function that makes calls as the process with these replicas."""

    def call(command: str, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        with patch.context() as during:
            for module in (indexes, merge, search, writes):
                during.setattr(module, "replicas", own)
            return answer(command, name, body)

    return call


class GraphMachine(IndexMachine):
    """The same calls, and steps of the background work."""

    weights: ClassVar[dict[str, int]] = IndexMachine.weights | {
        "move_chunks": 8, "replace_most": 3, "follow_own_writes": 3, "forget": 1,
    }  # fmt: skip

    def __init__(self, both: list[Replicas], patch: pytest.MonkeyPatch, prefix: str, seen: set[str]) -> None:
        super().__init__([call_of(own, patch) for own in both], prefix)
        self.both = both
        self.seen = seen

    @initialize(seed=seeds)
    def begin(self, seed: int) -> None:
        self._begin(seed)
        self.replace_most("a", self.rng)

    def move_chunks(self, slot: str, rng: random.Random) -> None:
        self._move(slot, rng, process=rng.randrange(2), chunks=rng.choice((1, 2, 20)))

    def follow_own_writes(self, slot: str, rng: random.Random) -> None:
        """One round of the background thread."""
        self.both[rng.randrange(2)]._step()

    def forget(self, slot: str, rng: random.Random) -> None:
        """A process has restarted, or needed the memory."""
        self.both[rng.randrange(2)].forget_name(self.prefix + slot)

    def replace_most(self, slot: str, rng: random.Random) -> None:
        """New vectors for most items: a graph that held them has more tombstones than it may have."""
        process = rng.randrange(2)
        self._move(slot, rng, process=process, chunks=20)
        name = self.prefix + slot
        index = self.indexes.get(name)
        if index is not None and index.items:
            keys = rng.sample(sorted(index.items), max(1, int(len(index.items) * 0.7)))
            items = [{"id": key, "vector": [rng.uniform(-2, 2) for _ in range(index.dimension)]} for key in keys]
            assert self.call("add", name, {"items": items})[0] == 200
            index.add(items)
            self._move(slot, rng, process=process, chunks=1)
            self.touched.add(name)

    def _move(self, slot: str, rng: random.Random, *, process: int, chunks: int) -> None:
        """Search, so that the graph is up to date, and let it take some rows from its tail or its predecessor."""
        name = self.prefix + slot
        index = self.indexes.get(name)
        if index is None:
            return
        assert self.calls[process]("search", name, {"vector": [1.0] * index.dimension})[0] == 200
        found = self._graph(process, name)
        for _ in range(chunks):
            found._chunk = rng.randint(1, 8)
            if not found.move_chunk(threads=1):
                break
            self._note(found)

    @invariant()
    def a_graph_that_is_up_to_date_knows_each_item_once(self) -> None:
        for own in self.both:
            for replica in own._replicas.values():
                state = rows.read_state(replica.name)
                if state is None or state.id != replica.index_id or replica.applied_seq < state.last_seq:
                    continue
                parts = (replica.graph._tail, replica.graph._outliers, replica.graph._graph, replica.graph._retiring)
                assert sum(len(part) for part in parts if part is not None) == len(replica.graph) == state.live_count
                self._note(replica.graph)

    def _graph(self, process: int, name: str) -> graph.SearchGraph:
        state = rows.read_state(name)
        assert isinstance(state, IndexState)
        return self.both[process]._replicas[state.id].graph

    def _note(self, found: graph.SearchGraph) -> None:
        parts = {"tail": found._tail, "outliers": found._outliers, "graph": found._graph, "retiring": found._retiring}
        self.seen.update(name for name, part in parts.items() if part is not None and len(part))
        if found._graph is not None and found._graph.tombstones:
            self.seen.add("tombstones")


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Replicas]]:
    """The replicas of two processes."""
    small = functools.partial(graph.SearchGraph, graph_min_items=GRAPH_MIN_ITEMS)
    monkeypatch.setattr(replica, "SearchGraph", small)
    both: list[Replicas] = [QuietReplicas(), QuietReplicas()]
    yield both
    for own in both:
        own.stop()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("examples", "steps"), [(6, 40), pytest.param(30, 60, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_graphs_of_two_processes_agree_with_the_model_after_every_step(
    both: list[Replicas], monkeypatch: pytest.MonkeyPatch, examples: int, steps: int
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    seen: set[str] = set()
    machines: list[GraphMachine] = []

    def machine() -> GraphMachine:
        machines.append(GraphMachine(both, monkeypatch, f"m{len(machines)}-", seen))
        return machines[-1]

    # Hypothesis takes any function that makes a machine; its annotation says class.
    factory: Any = with_seed(seed)(machine)
    run_state_machine_as_test(factory, settings=machine_settings(examples=examples, steps=steps))

    assert seen == {"tail", "outliers", "graph", "retiring", "tombstones"}
    assert sum(machine.graph_answers for machine in machines) > 0
    assert sum(machine.merges for machine in machines) > 0


@pytest.mark.django_db(transaction=True)
def test_an_item_deleted_between_two_pages_of_a_load_does_not_stay_in_the_graph(
    both: list[Replicas], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = (call_of(own, monkeypatch) for own in both)
    assert here("create", "paged", {"dimension": 4, "distance": "euclidean"})[0] == 201
    items = [{"id": f"item-{i}", "vector": [i, 0, 0, 0]} for i in range(600)]  # pages have at least 256 rows
    assert here("add", "paged", {"items": items})[0] == 200
    changes_after, pages = rows.changes_after, []
    monkeypatch.setattr(replica, "PAGE_BYTES", 1)

    def between_pages(*arguments: Any, **options: Any) -> Any:
        page = changes_after(*arguments, **options)
        pages.append(len(page))
        if len(pages) == 1:
            here("delete", "paged", {"ids": ["item-0"]})
            here("add", "paged", {"items": [{"id": "last", "vector": [900, 0, 0, 0]}]})
        return page

    monkeypatch.setattr(rows, "changes_after", between_pages)
    assert there("search", "paged", {"vector": [0, 0, 0, 0]})[0] == 200
    status, found = there("search", "paged", {"vector": [0, 0, 0, 0], "k": 1})

    assert (status, [hit["id"] for hit in found["results"]]) == (200, ["item-1"])
    (held,) = both[1]._replicas.values()
    assert len(held.graph) == 600, "the graph holds an item that was deleted while it loaded"
