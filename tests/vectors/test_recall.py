from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from lakehouse_site.errors import IndexNotFound, InvalidInput
from tests.factories import add, add_rows, delete, find, make_index, random_rows
from vectors import indexes, queries, recall, recall_records
from vectors.models import RecallMeasurement
from vectors.recall import measure_recall, recall_history
from vectors.recall_records import Recall
from vectors.replicas import replicas
from vectors.search import Answer, search_index

pytestmark = pytest.mark.usefixtures("vectors_db")


def measure(num: int = 25, k: int = 10) -> Recall:
    return measure_recall(state=indexes.index_state(name="docs"), num=num, k=k)


def blind(monkeypatch: pytest.MonkeyPatch, *, overlooked: int) -> None:
    """Make searches that need not be exact overlook the nearest items."""

    def overlook(**arguments: Any) -> Answer:
        answer = search_index(**arguments)
        return answer if arguments["query"].exact else Answer([hits[overlooked:] for hits in answer.hits], False, 0)

    monkeypatch.setattr(recall, "search_index", overlook)


@pytest.mark.usefixtures("small_graphs")
def test_a_good_graph_has_a_recall_near_one() -> None:
    make_index(dimension=8)
    add_rows("docs", random_rows(300, 8))
    find("docs", [1] * 8)
    graph = replicas.current(indexes.index_state(name="docs"))
    while graph.move_chunk(threads=1):
        pass

    found = measure(num=40, k=5)

    assert 0.95 <= found.recall <= 1
    assert (found.num, found.k) == (40, 5)
    assert found.ann_ms > 0
    assert found.exact_ms > 0
    assert timezone.now() - found.measured_at < timedelta(minutes=1)


def test_what_is_missed_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=8)
    add_rows("docs", random_rows(100, 8))
    blind(monkeypatch, overlooked=6)  # of eleven: the item itself and five of its ten neighbours

    assert measure(num=30, k=10).recall == pytest.approx(0.5)


def test_an_item_as_near_as_the_last_true_one_is_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=2)
    add("docs", [{"id": f"{i:02}", "vector": [1, 1]} for i in range(50)])

    def find_others(**arguments: Any) -> Answer:
        query = arguments["query"]
        if query.exact:
            return search_index(**arguments)
        found = search_index(state=arguments["state"], query=replace(query, k=40))
        return Answer([hits[30 : 30 + query.k] for hits in found.hits], False, 0)

    monkeypatch.setattr(recall, "search_index", find_others)

    assert measure(num=10, k=5).recall == 1


@pytest.mark.parametrize("count", [0, 1])
def test_where_there_is_nothing_to_find_nothing_is_missed(count: int) -> None:
    make_index()
    if count:
        add_rows("docs", random_rows(count, 3))

    found = measure()

    assert (found.recall, found.num) == (1.0, count)


def test_more_neighbours_than_items_are_those_there_are() -> None:
    make_index()
    add_rows("docs", random_rows(5, 3))

    assert measure(num=100, k=100).recall == 1


def test_measurements_are_kept_newest_first_and_old_ones_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall_records, "KEPT", 3)
    make_index()
    make_index("other")
    add_rows("docs", random_rows(5, 3))
    other = measure_recall(state=indexes.index_state(name="other"), num=1, k=1)

    made = [measure(num=num) for num in (1, 2, 3, 4)]

    assert recall_history(name="docs") == made[:0:-1]
    assert recall_history(name="docs", limit=1) == made[-1:]
    assert recall_history(name="other") == [other]
    row = RecallMeasurement.objects.filter(index__name="docs").first()
    assert row is not None
    assert (row.count, row.seq, row.ef_search) == (5, 5, 64)
    with pytest.raises(IndexNotFound):
        recall_history(name="nix")


def test_an_index_that_is_dropped_while_it_is_measured_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index()
    add_rows("docs", random_rows(5, 3))
    keep = recall_records.keep

    def drop_then_keep(*arguments: Any) -> None:
        indexes.drop_index(name="docs")
        keep(*arguments)

    monkeypatch.setattr(recall_records, "keep", drop_then_keep)

    with pytest.raises(IndexNotFound):
        measure()
    assert not RecallMeasurement.objects.exists()


def test_items_may_go_while_recall_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index()
    keys = add_rows("docs", random_rows(30, 3))
    deleted: list[str] = []

    def delete_then_search(**arguments: Any) -> Answer:
        if len(deleted) < 20:
            deleted.append(keys[len(deleted)])
            delete("docs", deleted[-1])
        return search_index(**arguments)

    monkeypatch.setattr(recall, "search_index", delete_then_search)

    assert 0 <= measure(num=30, k=5).recall <= 1


@pytest.mark.parametrize("body", [{"num": 0}, {"num": 1_001}, {"k": 0}, {"k": 1_001}, {"num": "5"}, {"x": 1}])
def test_what_cannot_be_measured_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        queries.parse_recall(body)


def test_a_measurement_has_a_size_that_can_be_waited_for() -> None:
    assert queries.parse_recall({}) == (25, 10)
    assert queries.parse_recall({"num": 10, "k": 1_000}) == (10, 1_000)
    with pytest.raises(InvalidInput) as caught:
        queries.parse_recall({"num": 11, "k": 1_000})
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/num", "too_many")]


def test_the_index_tells_its_last_recall_and_warns_when_it_is_low(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=8)
    add_rows("docs", random_rows(100, 8))
    make_index("other")
    assert (indexes.index_info(name="docs").recall, indexes.index_info(name="docs").warnings) == (None, [])

    good = measure()
    assert (indexes.index_info(name="docs").recall, indexes.index_info(name="docs").warnings) == (good, [])
    blind(monkeypatch, overlooked=6)
    bad = measure()

    docs, other = indexes.describe_all(list(indexes.list_indexes()))
    assert (docs.recall, other.recall, other.warnings) == (bad, None, [])
    (warning,) = docs.warnings
    for word in ("0.500", "index_rebuild docs", "ef_search", "exact", "index_recall docs"):
        assert word in warning


def test_a_listing_asks_once_for_all_indexes(django_assert_num_queries: Any) -> None:
    for i in range(8):
        make_index(f"docs-{i}")
        measure_recall(state=indexes.index_state(name=f"docs-{i}"), num=1, k=1)
    listed = list(indexes.list_indexes())

    with django_assert_num_queries(2):
        infos = indexes.describe_all(listed)

    assert all(info.recall for info in infos)


def test_measurements_over_http(client: Client) -> None:
    make_index()
    add_rows("docs", random_rows(20, 3))
    url = "/v1/vectors/index/docs/recall"

    made = client.post(url, {"num": 5, "k": 3}, content_type="application/json")
    made_by_default = client.post(url, {}, content_type="application/json")
    history = client.get(url).json()["results"]
    info = client.get("/v1/vectors/index/docs").json()

    assert made.json().keys() == {"recall", "num", "k", "ann_ms", "exact_ms", "measured_at"}
    assert history == [made_by_default.json(), made.json()]
    assert info["recall"] == made_by_default.json()
    assert info["warnings"] == []


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_measures_and_keeps() -> None:
    make_index()
    add_rows("docs", random_rows(20, 3))

    text = run("index_recall", "docs")
    answer = json.loads(run("index_recall", "docs", "--num", "5", "--k", "3", "--min", "0.95", "--json"))

    assert text.startswith("docs: recall@10 is 1.0000 over 20 stored vectors; a search takes ")
    assert (answer["index"], answer["recall"], answer["num"], answer["k"]) == ("docs", 1.0, 5, 3)
    assert len(recall_history(name="docs")) == 2


def test_the_command_fails_below_the_recall_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=8)
    add_rows("docs", random_rows(100, 8))
    blind(monkeypatch, overlooked=6)
    out = StringIO()

    with pytest.raises(CommandError, match=r"0\.5000, less than 0\.95") as caught:
        call_command("index_recall", "docs", "--min", "0.95", "--json", stdout=out)

    assert caught.value.returncode == 1
    assert json.loads(out.getvalue())["recall"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"), [(("nix",), "'nix'"), (("docs", "--num", "0"), "/num"), (("docs", "--k", "5000"), "/k")]
)
def test_the_command_says_what_is_wrong(arguments: tuple[str, ...], message: str) -> None:
    make_index()

    with pytest.raises(CommandError, match=message):
        run("index_recall", *arguments)
