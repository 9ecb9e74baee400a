"""Two processes on one database, each with graphs from a few items on, played by two `Replicas` in this process.

What their background threads would do is a step of its own here, so a graph can be at any stage when others write,
take snapshots, purge tombstones or build it anew; also between any two statements of a process that catches up.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from hypothesis.stateful import initialize, invariant

from lakehouse_site.errors import IndexNotFound
from tests.e2e.machine import SLOTS, IndexMachine, seeds
from tests.e2e.model import Call, Index
from tests.e2e.worker import answer
from vectors import graph, indexes, maintenance, merge, restore, rows, search, snapshot_records, snapshots, writes
from vectors.models import IndexHead
from vectors.replicas import Replicas
from vectors.rows import IndexState
from vectors.statements import run

MODULES = (indexes, maintenance, merge, search, snapshots, writes)


class QuietReplicas(Replicas):
    """Replicas whose background work is done when the test says so."""

    def _start(self) -> None:
        pass


def call_of(own: Replicas, patch: pytest.MonkeyPatch) -> Call:
    """Return the function that makes calls as the process with these replicas."""

    def call(command: str, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        with patch.context() as during:
            for module in MODULES:
                during.setattr(module, "replicas", own)
            return _answer_more(command, name) if command in MORE_COMMANDS else answer(command, name, body)

    return call


def _snapshot(name: str) -> object:
    return snapshots.take_snapshot(state=indexes.index_state(name=name))


def _rebuild(name: str) -> object:
    return maintenance.rebuild_index(name=name)


def _purge(name: str) -> object:
    return maintenance.purge_tombstones(head=IndexHead.objects.get(index__name=name))


MORE_COMMANDS: dict[str, Callable[[str], object]] = {"snapshot": _snapshot, "rebuild": _rebuild, "purge": _purge}


def _answer_more(command: str, name: str) -> tuple[int, Any]:
    try:
        return 200, MORE_COMMANDS[command](name)
    except (IndexNotFound, IndexHead.DoesNotExist):
        return 404, None


class GraphMachine(IndexMachine):
    """The same calls, and steps of the background work."""

    weights: ClassVar[dict[str, int]] = IndexMachine.weights | {
        "move_chunks": 8, "replace_most": 3, "follow_own_writes": 4, "forget": 5,
        "snapshot": 4, "purge": 4, "rebuild": 2, "restore": 2, "meddle": 8,
    }  # fmt: skip

    def __init__(self, both: list[Replicas], patch: pytest.MonkeyPatch, prefix: str, seen: set[str]) -> None:
        super().__init__([call_of(own, patch) for own in both], prefix)
        self.both = both
        self.patch = patch
        self.seen = seen
        self.backups: dict[str, tuple[str, Index]] = {}

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

    def snapshot(self, slot: str, rng: random.Random) -> None:
        name = self.prefix + slot
        assert self.call("snapshot", name, {})[0] == (200 if name in self.indexes else 404)
        if name in self.indexes:
            newest = snapshot_records.verified(indexes.index_state(name=name).id)[0]
            self.backups[name] = newest.object_name, copy.deepcopy(self.indexes[name])

    def restore(self, slot: str, rng: random.Random) -> None:
        """Bring a snapshot of some index back as another one."""
        name = self.prefix + slot
        for source in SLOTS:
            if rng.random() < 0.5:
                self.snapshot(source, rng)
        sources = [backup for source, backup in sorted(self.backups.items()) if source != name]
        sources = [backup for backup in sources if default_storage.exists(backup[0])]
        if not sources:
            return
        object_name, model = rng.choice(sources)
        if self.indexes.pop(name, None) is not None:
            assert self.call("drop", name, {})[0] == 204
        restore.restore_index(backup=restore.describe_backup(object_name=object_name), as_name=name)
        self.indexes[name] = copy.deepcopy(model)
        self.touched.add(name)
        self.seen.add("restored")

    def purge(self, slot: str, rng: random.Random) -> None:
        name = self.prefix + slot
        # The first call may only set the mark up to which the second one purges.
        for _ in range(rng.randint(1, 2)):
            status, purged = self.call("purge", name, {})
            assert status == (200 if name in self.indexes else 404)
            if purged:
                self.seen.add("purged")

    def rebuild(self, slot: str, rng: random.Random) -> None:
        name = self.prefix + slot
        assert self.call("rebuild", name, {})[0] == (200 if name in self.indexes else 404)

    def meddle(self, slot: str, rng: random.Random) -> None:
        """Another process does something between two statements of one that loads the index or catches up."""
        victim = rng.randrange(2)
        if rng.random() < 0.7:
            if rng.random() < 0.6:
                # So that the snapshot it loads has a graph, and labels in it that are dead.
                self._move(slot, rng, process=victim, chunks=20)
                self.snapshot(slot, rng)
                self.delete(slot, rng)
            self.both[victim].forget_name(self.prefix + slot)
        others = {"add": 3, "delete": 5, "snapshot": 1, "purge": 5, "rebuild": 1, "create_again": 1}
        chosen = rng.choices(list(others), list(others.values()), k=rng.randint(1, 4))

        def do() -> None:
            for name in chosen:
                getattr(self, name)(slot, rng)

        calls, self.calls = self.calls, [self.calls[1 - victim]]
        try:
            with between_statements(self.patch, rng.randint(1, 5), do) as done:
                status, _ = calls[victim]("search", self.prefix + slot, {"vector": [1.0] * 4})
        finally:
            self.calls = calls
        assert status in ((200, 400, 404) if done else (200, 400) if self.prefix + slot in self.indexes else (404,))
        if done:
            self.seen.add("meddled")

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
            for held in own._replicas.values():
                state = rows.read_state(held.name)
                if state is None or state.id != held.index_id or held.applied_seq < state.last_seq:
                    continue
                parts = (held.graph._tail, held.graph._outliers, held.graph._graph, held.graph._retiring)
                assert sum(len(part) for part in parts if part is not None) == len(held.graph) == state.live_count
                self._note(held.graph)

    def _graph(self, process: int, name: str) -> graph.SearchGraph:
        state = rows.read_state(name)
        assert isinstance(state, IndexState)
        return self.both[process]._replicas[state.id].graph

    def _note(self, found: graph.SearchGraph) -> None:
        parts = {"tail": found._tail, "outliers": found._outliers, "graph": found._graph, "retiring": found._retiring}
        self.seen.update(name for name, part in parts.items() if part is not None and len(part))
        if found._graph is not None and found._graph.tombstones:
            self.seen.add("tombstones")


@contextmanager
def between_statements(patch: pytest.MonkeyPatch, number: int, do: Callable[[], None]) -> Iterator[list[int]]:
    """Call `do` once, after the given number of statements that a process reads outside of transactions."""
    count, done = [0], list[int]()

    def run_and_do(sql: str, params: Sequence[Any]) -> Any:
        found = run(sql, params)
        if not done and not connection.in_atomic_block and not _in_a_moment():
            count[0] += 1
            if count[0] == number:
                done.append(number)
                do()
        return found

    with patch.context() as during:
        during.setattr("vectors.rows.run", run_and_do)
        yield done


def _in_a_moment() -> bool:
    return connection.vendor == "sqlite" and bool(connection.connection.in_transaction)
