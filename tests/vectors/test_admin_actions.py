"""Searching in the admin, and what can be done there with an index: by whom, and what comes of it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.storage import FileSystemStorage
from django.test import Client

from lakehouse_site.tasks.models import TaskRecord
from tests.factories import add_rows, make_index, random_rows
from tests.vectors.admin_pages import act, address, checked, get, staff_with, text_of
from vectors.indexes import index_state, list_indexes
from vectors.models import RecallMeasurement, Snapshot

pytestmark = pytest.mark.usefixtures("vectors_db", "storage")
ACTIONS = ("snapshot", "rebuild", "recall", "merge", "delete")


@pytest.fixture
def two(vectors_db: None) -> None:
    """`fresh` has 30 items, `docs` the first 10 of them and 5 others."""
    rows = random_rows(30, 4)
    make_index("fresh", dimension=4)
    make_index("docs", dimension=4)
    make_index("other", dimension=3)
    add_rows("fresh", rows)
    add_rows("docs", rows[:10])
    add_rows("docs", rows[:5], prefix="own")


def post(client: Client, url: str, **form: Any) -> str:
    response = client.post(url, form, follow=True)
    assert response.status_code == 200
    return checked(response.content.decode())


def count(name: str) -> int:
    return index_state(name=name).live_count


@pytest.mark.usefixtures("two")
def test_a_search_by_an_item_leaves_that_out_and_links_to_the_others(boss: Client) -> None:
    html = get(boss, address("search", "docs"), id="i000003", k="4")

    text = text_of(html)
    assert "4 neighbours" in text
    assert "1 own000003 0 –" in text  # the same vector
    assert "Exact: no nearer item was missed." in text
    assert f"{address('item', 'docs')}?id=own000003" in html


@pytest.mark.usefixtures("two")
def test_a_search_by_a_vector_with_a_filter(boss: Client) -> None:
    add_rows("docs", np.eye(4, dtype=np.float32), prefix="eye")

    html = post(boss, address("search", "docs"), vector="[0, 0, 1, 0]", k="1", filter="", exact="on")
    nothing = post(boss, address("search", "docs"), vector="[0, 0, 1, 0]", filter='{"lang": "en"}')

    assert "1 eye000002 0 –" in text_of(html)
    assert "0 neighbours" in text_of(nothing)
    assert "[0, 0, 1, 0]" in html  # to change it and search again


@pytest.mark.usefixtures("two")
def test_a_wrong_search_is_told_in_words_with_what_was_typed(boss: Client) -> None:
    for form, words in (
        ({}, "Type the id of an item, or paste a vector."),
        ({"vector": "[1, 2"}, "vector: This is not JSON"),
        ({"vector": "[1, 2]"}, "vector: "),
        ({"vector": "[1, NaN, 2, 3]"}, "vector: This is not JSON"),
        ({"vector": '[1, "x", 2, 3]'}, "vector/1: "),
        ({"vector": "[0, 0, 0, 0]"}, "vector: "),
        ({"vector": "1"}, "vector: "),
        ({"id": "i000001", "vector": "[1, 2, 3, 4]"}, "Send exactly one of"),
        ({"id": "nobody"}, "has no item with the id"),
        ({"id": "i000001", "k": "0"}, "k: Expected a whole number from 1 to 100."),
        ({"id": "i000001", "k": "²"}, "k: Expected a whole number"),
        ({"id": "i000001", "filter": '{"a": {"$gt": []}}'}, "filter/a/$gt"),
        ({"id": "i000001", "filter": '{"a": ' + "9" * 5_000 + "}"}, "filter: "),
    ):
        html = post(boss, address("search", "docs"), **form)
        assert 'role="alert"' in html, form
        assert words in text_of(html), form


@pytest.mark.usefixtures("two")
def test_a_merge_shows_its_numbers_first_and_then_merges(boss: Client) -> None:
    form = {"dest": "docs", "on_conflict": "skip", "clear_source": "on"}
    offered = get(boss, address("merge", "fresh"))

    dry = post(boss, address("merge", "fresh"), **form, step="dry_run")
    unchanged = (count("fresh"), count("docs"))
    done = act(boss, address("merge", "fresh"), **form, step="merge")

    assert "docs (15 items)" in offered
    assert "other" not in text_of(offered).partition("Into")[2]  # of another dimension
    assert "Would be added 20" in text_of(dry)
    assert "Would be skipped 10" in text_of(dry)
    assert "Would be removed from fresh 20" in text_of(dry)
    assert unchanged == (30, 15)
    assert "The index fresh was merged into docs: 20 added, 0 overwritten, 10 skipped, 20 removed here." in text_of(
        done
    )
    assert (count("fresh"), count("docs")) == (10, 35)


@pytest.mark.usefixtures("two")
def test_a_merge_without_a_known_step_changes_nothing(boss: Client) -> None:
    post(boss, address("merge", "fresh"), dest="docs")

    assert (count("fresh"), count("docs")) == (30, 15)


@pytest.mark.usefixtures("two")
def test_a_merge_that_is_refused_says_why(boss: Client) -> None:
    for form, words in (
        ({"dest": "fresh"}, "An index cannot be merged into itself."),
        ({"dest": "nobody"}, "There is no index named"),
        ({"dest": "other"}, "they cannot be merged."),
        ({"dest": "docs", "on_conflict": "magic"}, "Expected one of skip, overwrite, error."),
    ):
        html = post(boss, address("merge", "fresh"), **form, step="merge")
        assert words in text_of(html), form
    assert not TaskRecord.objects.exists()
    found_late = act(boss, address("merge", "fresh"), dest="docs", on_conflict="error", step="merge")
    assert "already has items of the source" in text_of(found_late)
    assert (count("fresh"), count("docs")) == (30, 15)


@pytest.mark.usefixtures("two")
def test_snapshot_rebuild_and_recall_ask_first_and_leave_a_trace(boss: Client) -> None:
    for page in ("snapshot", "rebuild", "recall"):
        assert 'method="post"' in get(boss, address(page))
    assert not Snapshot.objects.exists()

    taken = act(boss, address("snapshot"))
    built = act(boss, address("rebuild"))
    measured = act(boss, address("recall"), num="5", k="3")
    facts = text_of(get(boss, address("change")))

    assert "A snapshot of docs was taken" in taken
    assert "The graph of docs was built anew" in built
    assert "Graph generation 1" in facts
    assert "Rebuild the graph of docs done boss The graph of docs was built anew" in facts
    assert "Searches found 1.0000 of the true 3 nearest of 5 items" in measured
    assert RecallMeasurement.objects.get().num == 5
    assert Snapshot.objects.filter(status="verified").count() == 2
    assert LogEntry.objects.count() == 3
    assert "Searches found 1.0000" in get(boss, address("history"))


@pytest.mark.usefixtures("two")
def test_a_measurement_with_wrong_numbers_is_told_in_words(boss: Client) -> None:
    for form in ({"num": "0"}, {"num": "x"}, {"num": "1000", "k": "1000"}, {"k": "1.5"}):
        assert 'role="alert"' in post(boss, address("recall"), **form)
    assert not RecallMeasurement.objects.exists()


@pytest.mark.usefixtures("two")
def test_a_storage_that_fails_is_told_as_a_message(
    boss: Client, storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, content: Any, max_length: int | None = None) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "save", refuse)

    html = act(boss, address("snapshot"))

    assert "Failed : " in text_of(html)
    assert "No space left on device" in html
    assert "lh-failed" in get(boss, address("change"))  # and in the list of snapshots


@pytest.mark.usefixtures("two")
def test_an_index_is_dropped_only_by_its_name(boss: Client) -> None:
    url = address("delete")

    wrong = [post(boss, url, name=name) for name in ("", "doc", "Docs", "docs ")]
    still_there = count("docs")
    gone = post(boss, url, name="docs")

    assert all("Nothing was dropped: that is not the name." in html for html in wrong)
    assert still_there == 15
    assert "The index docs was dropped." in gone
    assert [index.name for index in list_indexes()] == ["fresh", "other"]


@pytest.mark.usefixtures("two")
def test_who_may_only_look_can_do_nothing() -> None:
    viewer = staff_with("view")
    html = get(viewer, address("change"))

    for page in ACTIONS:
        assert address(page) not in html
        assert viewer.get(address(page)).status_code == 403
        assert viewer.post(address(page), {"name": "docs", "dest": "fresh", "step": "merge"}).status_code == 403
    for page in ("search", "map", "items"):
        get(viewer, address(page))
    assert (count("docs"), count("fresh")) == (15, 30)
    assert not TaskRecord.objects.exists()


@pytest.mark.usefixtures("two")
def test_who_may_change_can_act_but_not_drop() -> None:
    editor = staff_with("change")

    html = act(editor, address("snapshot"))

    assert "A snapshot of docs was taken" in html
    assert address("delete") not in get(editor, address("change"))
    assert editor.post(address("delete"), {"name": "docs"}).status_code == 403


@pytest.mark.usefixtures("two")
def test_actions_are_protected_from_other_sites(boss: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = boss.cookies

    for page in (*ACTIONS, "search"):
        response = strict.post(address(page), {"name": "docs"})
        assert response.status_code == 403
        assert json.loads(response.content)["code"] == "csrf_failed"
