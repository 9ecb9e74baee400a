from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from lakehouse_site.errors import IndexNotFound
from tests.factories import add, delete, find, found_keys, make_index
from vectors import indexes, items, rows, writes
from vectors.filters import parse_filter
from vectors.models import VectorItem
from vectors.replicas import replicas
from vectors.writes import DeleteResult

pytestmark = pytest.mark.usefixtures("vectors_db")


def fill(total: int = 20, prefix: str = "") -> None:
    add("docs", [{"id": f"{prefix}{i:02}", "vector": [1, i, 0], "metadata": {"n": i}} for i in range(total)])


def delete_where(body: dict[str, Any]) -> DeleteResult:
    return writes.delete_matching(state=indexes.index_state(name="docs"), wanted=parse_filter(body))


def live() -> list[str]:
    page, _ = items.list_items(state=indexes.index_state(name="docs"), cursor=None, limit=1_000, include=set())
    return [row.key for row in page]


@pytest.mark.parametrize("rows_at_once", [3, 5_000])
def test_exactly_what_matches_goes(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "DELETE_ROWS", rows_at_once)
    make_index()
    fill()

    done = delete_where({"n": {"$gte": 5, "$lt": 15}})

    assert (done.deleted, done.missing, done.seq) == (10, [], 30)
    assert live() == [f"{i:02}" for i in [*range(5), *range(15, 20)]]
    state = indexes.index_state(name="docs")
    assert (state.live_count, state.last_seq) == (10, 30)
    seqs = list(VectorItem.objects.values_list("seq", flat=True))
    assert len(set(seqs)) == len(seqs) == 20
    assert max(seqs) == 30
    assert sorted(found_keys("docs", [1, 0, 0], k=50)) == live()
    assert delete_where({"n": {"$gte": 5, "$lt": 15}}) == DeleteResult(0, [], 30)


def test_a_write_between_filter_and_deletion_is_taken_into_account(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index()
    fill()
    matching, changes = replicas.matching, [1, 1]

    def then_write(*arguments: Any) -> Any:
        found = matching(*arguments)
        if changes:
            changes.pop()
            add("docs", [{"id": "05", "vector": [1, 1, 1], "metadata": {"n": 100}}])
            add("docs", [{"id": f"new-{len(changes)}", "vector": [1, 1, 1], "metadata": {"n": 3}}])
            delete("docs", "06")
        return found

    scans: list[int] = []
    monkeypatch.setattr(replicas, "matching", then_write)
    monkeypatch.setattr(writes, "_delete_scanned", lambda *_: scans.append(1))

    done = delete_where({"n": {"$lt": 10}})

    assert done.deleted == 10 - 2 + 2
    assert live() == ["05", *(f"{i}" for i in range(10, 20))]
    assert scans == []


@pytest.mark.parametrize("rows_at_once", [3, 5_000])
def test_under_constant_writes_the_rows_are_looked_through(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "DELETE_ROWS", rows_at_once)
    make_index()
    fill()
    matching, turns = replicas.matching, iter(range(100))

    def then_write(*arguments: Any) -> Any:
        found = matching(*arguments)
        add("docs", [{"id": "always", "vector": [1, next(turns), 1], "metadata": {"n": 3}}])
        return found

    monkeypatch.setattr(replicas, "matching", then_write)

    done = delete_where({"n": {"$lt": 10}})

    assert done.deleted == 11
    assert live() == [f"{i}" for i in range(10, 20)]
    assert done.seq == indexes.index_state(name="docs").last_seq


def test_a_deletion_that_fails_halfway_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "DELETE_ROWS", 4)
    make_index()
    fill()
    before = indexes.index_state(name="docs")
    bury, calls = rows.bury, []

    def fail(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError
        bury(*arguments)

    monkeypatch.setattr(rows, "bury", fail)
    with pytest.raises(ZeroDivisionError):
        delete_where({"n": {"$lt": 15}})

    assert len(live()) == 20
    assert indexes.index_state(name="docs") == before
    assert len(find("docs", [1, 0, 0], k=50, filter={"n": {"$lt": 15}}).hits[0]) == 15


def test_an_index_that_was_dropped_meanwhile_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index()
    fill()
    state = indexes.index_state(name="docs")
    matching = replicas.matching

    def then_drop(*arguments: Any) -> Any:
        found = matching(*arguments)
        indexes.drop_index(name="docs")
        make_index()
        fill()
        return found

    monkeypatch.setattr(replicas, "matching", then_drop)
    with pytest.raises(IndexNotFound):
        writes.delete_matching(state=state, wanted=parse_filter({"n": 1}))
    assert len(live()) == 20


def test_two_deletions_and_writers_at_once_leave_what_they_should() -> None:
    make_index()
    fill(60)
    failures: list[Exception] = []
    deleted: list[int] = []

    def work(low: int) -> None:
        try:
            for start in range(low, 60, 20):
                deleted.append(delete_where({"n": {"$gte": start, "$lt": start + 10}}).deleted)
        except Exception as error:  # noqa: BLE001  it would be lost in the thread
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(low,)) for low in (0, 0, 10)]
    for thread in threads:
        thread.start()
    for turn in range(20):
        add("docs", [{"id": f"w{turn}", "vector": [1, 2, turn], "metadata": {"n": 1_000}}])
    for thread in threads:
        thread.join()

    assert failures == []
    assert sum(deleted) == 60
    assert sorted(live()) == sorted(f"w{turn}" for turn in range(20))
