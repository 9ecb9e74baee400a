from __future__ import annotations

import json
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from lakehouse_site.errors import IndexNotFound, InvalidInput, TooLarge
from tests.factories import add, add_rows, delete, make_index, random_rows
from vectors import duplicates, indexes, queries
from vectors.distances import DISTANCES, Distance, measure
from vectors.duplicates import Duplicates, Group, find_duplicates
from vectors.replicas import replicas

pytestmark = pytest.mark.usefixtures("vectors_db")


def find(threshold: float, **options: Any) -> Duplicates:
    return find_duplicates(state=indexes.index_state(name="docs"), threshold=threshold, **options)


def build_graph() -> None:
    graph = replicas.current(indexes.index_state(name="docs"))
    while graph.move_chunk(threads=1):
        pass


def line(*places: float) -> None:
    make_index(dimension=1, distance="euclidean")
    add("docs", [{"id": f"p{place:g}", "vector": [place]} for place in places])


def test_items_are_joined_link_by_link() -> None:
    line(0, 1, 2, 10, 11, 50)

    found = find(1)

    assert found == Duplicates([Group(["p0", "p1", "p2"], 1.0), Group(["p10", "p11"], 1.0)], scanned=6)


def test_the_distance_itself_counts_and_the_largest_link_is_told() -> None:
    line(0, 0.25, 1, 5)

    assert find(0.75).groups == [Group(["p0", "p0.25", "p1"], 0.75)]
    assert find(np.nextafter(0.75, 0)).groups == [Group(["p0", "p0.25"], 0.25)]
    assert find(0.1).groups == []
    assert find(-1).groups == []


@pytest.mark.parametrize("count", [0, 1])
def test_there_are_no_duplicates_of_nothing(count: int) -> None:
    line(*range(count))

    assert find(100) == Duplicates([], scanned=count)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("build", [False, True], ids=["tail", "graph"])
@pytest.mark.usefixtures("small_graphs")
def test_the_groups_are_those_of_all_pairs(distance: Distance, build: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "AT_ONCE", 7)
    base = random_rows(60, 6)
    rows = np.concatenate((base, base[:20] + np.float32(0.001), base[:5], base[:5]))
    make_index(dimension=6, distance=distance)
    keys = add_rows("docs", rows)
    if build:
        build_graph()
    far = np.array([measure(row, rows, distance) for row in rows])
    threshold = -9.0 if distance == "dot" else 0.01

    found = find(threshold)

    parent = {key: key for key in keys}

    def root(key: str) -> str:
        return key if parent[key] == key else root(parent[key])

    for i, j in zip(*np.nonzero(far <= threshold), strict=True):
        if i != j:
            parent[root(keys[i])] = root(keys[j])
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(root(key), []).append(key)
    expected = sorted(sorted(group) for group in groups.values() if len(group) > 1)
    assert expected
    assert sorted(group.ids for group in found.groups) == expected
    assert [len(group.ids) for group in found.groups] == sorted(map(len, expected), reverse=True)


@pytest.mark.usefixtures("small_graphs")
def test_more_copies_than_are_looked_at_at_once_are_one_group() -> None:
    make_index()
    add("docs", [{"id": f"{i:03}", "vector": [1, 2, 3]} for i in range(3 * duplicates.MORE_K)])
    build_graph()

    assert find(0).groups == [Group([f"{i:03}" for i in range(3 * duplicates.MORE_K)], 0.0)]


def test_a_threshold_beyond_everything_makes_one_group() -> None:
    make_index(dimension=4)
    keys = add_rows("docs", random_rows(300, 4))

    assert [group.ids for group in find(2).groups] == [keys]


@pytest.mark.parametrize("distance", ["euclidean", "dot"])
def test_enormous_and_tiny_vectors_are_compared(distance: Distance) -> None:
    make_index(dimension=2, distance=distance)
    add(
        "docs",
        [{"id": f"{size}-{i}", "vector": [size, size * (1 + i / 100)]} for size in (1e30, 1, 1e-30) for i in range(2)],
    )

    groups = [group.ids for group in find(1e-20 if distance == "euclidean" else -1e50).groups]

    assert groups == ([["1e-30-0", "1e-30-1"]] if distance == "euclidean" else [["1e+30-0", "1e+30-1"]])


def test_progress_is_told_and_deleted_items_are_left_out() -> None:
    line(*range(300))
    delete("docs", *(f"p{i}" for i in range(0, 300, 2)))
    steps: list[int] = []

    assert find(1, progress=steps.append) == Duplicates([], scanned=150)
    assert sum(steps) == 150
    assert len(steps) > 1


def test_a_dropped_index_is_not_found() -> None:
    line(1, 2)
    state = indexes.index_state(name="docs")
    indexes.drop_index(name="docs")

    with pytest.raises(IndexNotFound):
        find_duplicates(state=state, threshold=1)


def test_an_index_too_large_for_a_call_is_left_to_the_command() -> None:
    line(1, 2, 3)

    with pytest.raises(TooLarge, match=r"manage.py index_duplicates docs --threshold 0\.5"):
        find(0.5, max_items=2)
    assert find(1, max_items=3).scanned == 3


@pytest.mark.parametrize("body", [{}, {"threshold": None}, {"threshold": "1"}, {"threshold": True}, {"other": 1}])
def test_a_call_without_a_threshold_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        queries.parse_duplicates(body)
    assert {fault.pointer for fault in caught.value.faults} <= {"/threshold", "/other"}


def test_duplicates_over_http(client: Client) -> None:
    line(0, 1, 5)

    answer = client.post("/v1/vectors/index/docs/duplicates", {"threshold": 1}, content_type="application/json")

    assert answer.json() == {"groups": [{"ids": ["p0", "p1"], "max_distance": 1.0}], "scanned": 3}


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_prints_a_line_for_each_group() -> None:
    line(0, 1, 5)
    add("docs", [{"id": "a\nb é", "vector": [5]}])

    text = run("index_duplicates", "docs", "--threshold", "1")
    answer = json.loads(run("index_duplicates", "docs", "--threshold", "1", "--json"))

    assert text.splitlines() == [
        "0.000000  'a\\nb \\xe9'  'p5'",
        "1.000000  'p0'  'p1'",
        "docs: 2 groups with 4 of 4 items.",
    ]
    assert (answer["index"], answer["scanned"], len(answer["groups"])) == ("docs", 4, 2)


@pytest.mark.parametrize(("arguments", "message"), [(("nix", "--threshold", "1"), "'nix'"), (("docs",), "--threshold")])
def test_the_command_says_what_is_wrong(arguments: tuple[str, ...], message: str) -> None:
    make_index()

    with pytest.raises(CommandError, match=message):
        run("index_duplicates", *arguments)
