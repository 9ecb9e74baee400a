"""Two processes agree with the dict model after every step, whatever their graphs and snapshots go through."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import seed as with_seed
from hypothesis.stateful import run_state_machine_as_test

from tests.e2e.machine import machine_settings
from tests.vectors.graph_machine import GraphMachine, QuietReplicas, call_of
from vectors import graph, maintenance, replica, rows
from vectors.replicas import Replicas

GRAPH_MIN_ITEMS = 8


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Replicas]]:
    """The replicas of two processes."""
    small = functools.partial(graph.SearchGraph, graph_min_items=GRAPH_MIN_ITEMS)
    monkeypatch.setattr(replica, "SearchGraph", small)
    monkeypatch.setattr(maintenance, "TOMBSTONE_AGE", timedelta(0))
    both: list[Replicas] = [QuietReplicas(), QuietReplicas()]
    yield both
    for own in both:
        own.stop()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("examples", "steps"), [(6, 40), pytest.param(4, 60, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_graphs_of_two_processes_agree_with_the_model_after_every_step(
    both: list[Replicas], monkeypatch: pytest.MonkeyPatch, examples: int, steps: int
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    seen: set[str] = set()
    load = graph.SearchGraph.load_graph

    def note_load(*arguments: Any) -> Any:
        seen.add("loaded")
        return load(*arguments)

    monkeypatch.setattr(graph.SearchGraph, "load_graph", note_load)
    machines: list[GraphMachine] = []

    def machine() -> GraphMachine:
        machines.append(GraphMachine(both, monkeypatch, f"m{len(machines)}-", seen))
        return machines[-1]

    # Hypothesis takes any function that makes a machine; its annotation says class.
    factory: Any = with_seed(seed)(machine)
    run_state_machine_as_test(factory, settings=machine_settings(examples=examples, steps=steps))

    assert seen >= {"tail", "outliers", "graph", "retiring", "tombstones", "loaded", "meddled"}
    assert seen >= {"purged", "restored"} or examples < 10
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
