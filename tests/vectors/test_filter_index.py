from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from lakehouse_site.errors import IndexNotFound
from tests.factories import add, delete, make_index
from vectors import filter_index, indexes, maintenance, metadata_rows, patches, rows, writes
from vectors.filter_index import FilterIndex
from vectors.filters import parse_filter
from vectors.models import IndexHead
from vectors.rows import IndexState
from vectors.transactions import run_write

pytestmark = pytest.mark.usefixtures("vectors_db")


@pytest.fixture
def state() -> IndexState:
    return make_index(dimension=1, distance="euclidean")


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_index, "PAGE_ROWS", 4)


def now() -> IndexState:
    return indexes.index_state(name="docs")


def put(*keys: str, n: int = 1, **more: Any) -> None:
    add("docs", [{"id": key, "vector": [1], "metadata": {"n": n, **more}} for key in keys])


def patch(key: str, **changes: Any) -> None:
    parsed = patches.parse_patches([{"id": key, "metadata": changes}])
    writes.patch_items(state=now(), patches=parsed, max_bytes=1_000)


def keys(index: FilterIndex, body: dict[str, Any], state: IndexState | None = None) -> list[str]:
    state = now() if state is None else state
    return sorted(rows.keys_of(state.id, index.matching(state, parse_filter(body)).labels.tolist()))


def purge() -> None:
    head = IndexHead.objects.get()
    run_write(lambda: maintenance._purge_some(head.pk, head.last_seq))


def test_every_kind_of_write_is_seen_at_once(state: IndexState) -> None:
    index = FilterIndex(state.id, "docs")
    assert keys(index, {"n": 1}) == []

    put("a", "b")
    assert keys(index, {"n": 1}) == ["a", "b"]
    put("b", "c", n=2)
    assert keys(index, {"n": 1}) == ["a"]
    patch("a", n=2)
    assert keys(index, {"n": 2}) == ["a", "b", "c"]
    delete("docs", "a", "b")
    assert keys(index, {}) == ["c"]
    add("docs", [{"id": "a", "vector": [5]}])
    assert keys(index, {"n": {"$exists": False}}) == ["a"]
    add("docs", [{"id": "c", "vector": [7]}])
    assert keys(index, {"n": 2}) == ["c"]


def test_a_path_that_was_never_asked_for_is_read_when_it_is(state: IndexState) -> None:
    index = FilterIndex(state.id, "docs")
    put("a", x=1)
    put("b", x=2)
    assert keys(index, {"n": 1}) == ["a", "b"]
    delete("docs", "a")
    purge()

    assert keys(index, {"x": {"$gte": 1}, "n": 1}) == ["b"]


def test_no_row_is_read_twice_for_the_same_filter(state: IndexState, monkeypatch: pytest.MonkeyPatch) -> None:
    index = FilterIndex(state.id, "docs")
    put("a")
    reads: list[int] = []
    read = metadata_rows.changes_after

    def count(*arguments: Any, **options: Any) -> Any:
        found = read(*arguments, **options)
        reads.append(len(found))
        return found

    monkeypatch.setattr(metadata_rows, "changes_after", count)
    for _ in range(3):
        keys(index, {"n": 1})
    put("b")
    keys(index, {"n": 1})

    assert reads == [1, 1]


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("is_loaded", [False, True])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda: put("k01", n=1), ["k00", "k01", "k02"]),  # its row moves past the page that is read next
        (lambda: patch("k01", x=1), ["k00", "k01", "k02"]),
        (lambda: patch("k01", n=9), ["k00", "k02"]),
        (lambda: delete("docs", "k01"), ["k00", "k02"]),
    ],
    ids=["add", "patch", "no-match", "delete"],
)
def test_an_item_that_changes_while_pages_are_read_is_not_lost(
    state: IndexState,
    is_loaded: bool,
    change: Callable[[], None],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = FilterIndex(state.id, "docs")
    if is_loaded:
        keys(index, {"n": 1})
    put("a0", "a1", "a2", "a3", n=2)
    put("k00", "k01", "k02", "b3", n=1)
    delete("docs", "b3")
    seen = now()
    read, changes = metadata_rows.changes_after, [change]

    def read_then_change(*arguments: Any, **options: Any) -> Any:
        found = read(*arguments, **options)
        if changes:
            put(*(f"z{i}" for i in range(9)), n=3)  # so that the pages up to the target are full
            changes.pop()()
        return found

    monkeypatch.setattr(metadata_rows, "changes_after", read_then_change)

    assert keys(index, {"n": 1}, seen) == expected


def test_tombstones_that_were_purged_before_they_were_read_take_their_items_along(state: IndexState) -> None:
    index = FilterIndex(state.id, "docs")
    put("a", "b", "c")
    assert keys(index, {"n": 1}) == ["a", "b", "c"]
    delete("docs", "a", "b")
    purge()
    put("d")

    found = index.matching(now(), parse_filter({"n": 1})).labels.tolist()

    assert len(found) == 2
    assert keys(index, {"n": 1}) == ["c", "d"]


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("is_loaded", [False, True])
def test_tombstones_that_go_while_pages_are_read_leave_no_ghost(
    state: IndexState, is_loaded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = FilterIndex(state.id, "docs")
    put("a", "b", "c", "d")
    if is_loaded:
        keys(index, {"n": 1})
    put("e", "f", "g", "h")
    read, changes = metadata_rows.changes_after, [1]

    def read_then_purge(*arguments: Any, **options: Any) -> Any:
        found = read(*arguments, **options)
        if changes:
            changes.pop()
            delete("docs", "a", "e")
            purge()
        return found

    monkeypatch.setattr(metadata_rows, "changes_after", read_then_purge)
    found = index.matching(now(), parse_filter({"n": 1}))

    assert sorted(rows.keys_of(state.id, found.labels.tolist())) == ["b", "c", "d", "f", "g", "h"]
    assert len(found.labels) == 6


def test_the_sequence_number_covers_writes_that_changed_no_row(state: IndexState) -> None:
    index = FilterIndex(state.id, "docs")
    put("a")
    add("docs", [{"id": "a", "vector": [1]}])
    delete("docs", "nobody")

    assert index.matching(now(), parse_filter({})).seq == now().last_seq == 3


def test_a_dropped_index_is_not_found_even_where_another_has_its_name(state: IndexState) -> None:
    index = FilterIndex(state.id, "docs")
    put("a")
    indexes.drop_index(name="docs")

    with pytest.raises(IndexNotFound):
        index.matching(state, parse_filter({"n": 1}))
    make_index()
    with pytest.raises(IndexNotFound):
        index.matching(state, parse_filter({"n": 1}))


def test_it_refuses_to_follow_inside_a_transaction(state: IndexState) -> None:
    index = FilterIndex(state.id, "docs")

    with transaction.atomic(), pytest.raises(RuntimeError, match="transaction"):
        index.matching(state, parse_filter({"n": 1}))


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("error", [OperationalError("gone"), MemoryError()])
def test_after_a_failure_in_the_middle_it_finds_its_way_back(
    state: IndexState, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = FilterIndex(state.id, "docs")
    put("a", "b")
    keys(index, {"n": 1})
    put(*(f"k{i}" for i in range(10)))
    delete("docs", "b")
    apply, calls = index._columns.apply, []

    def fail(entries: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            if isinstance(error, MemoryError):
                apply([next(iter(entries))])
            raise error
        apply(entries)

    monkeypatch.setattr(index._columns, "apply", fail)
    with pytest.raises(type(error)):
        keys(index, {"n": 1})

    assert keys(index, {"n": 1}) == ["a", *(f"k{i}" for i in range(10))]


def test_many_threads_ask_while_others_write(state: IndexState) -> None:
    index = FilterIndex(state.id, "docs")
    put(*(f"s{i}" for i in range(20)), n=5)
    failures: list[object] = []
    done = threading.Event()

    def ask(body: dict[str, Any]) -> None:
        try:
            while not done.is_set():
                found = [key for key in keys(index, body) if key.startswith("s")]
                if len(found) != 20:
                    failures.append(found)
        except Exception as error:  # noqa: BLE001  it would be lost in the thread
            failures.append(error)
        finally:
            connection.close()

    bodies: list[dict[str, Any]] = [{"n": 5}, {"x": {"$exists": False}, "n": {"$gt": 4}}, {"n": {"$nin": [1, 2]}}]
    threads = [threading.Thread(target=partial(ask, body)) for body in bodies]
    for thread in threads:
        thread.start()
    for turn in range(30):
        put(f"w{turn % 7}", n=turn % 3, x=turn)
        if turn % 5 == 0:
            delete("docs", f"w{turn % 7}")
            patch("s3", y=turn)
    done.set()
    for thread in threads:
        thread.join()

    assert failures == []


def test_memory_is_counted_from_the_first_filter_on(state: IndexState) -> None:
    index = FilterIndex(state.id, "docs")
    put("a", x="v" * 500)
    assert index.size_bytes == 0

    keys(index, {"x": "v"})

    assert index.size_bytes > 500
