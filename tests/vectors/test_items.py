from __future__ import annotations

import pytest

from lakehouse_site.errors import InvalidInput
from tests.factories import add, delete, make_index
from vectors import indexes, items
from vectors.rows import LiveRow

pytestmark = pytest.mark.usefixtures("vectors_db")


def pages(limit: int, between: object = None) -> list[list[str]]:
    """Follow the cursors, calling `between` after each page."""
    result: list[list[str]] = []
    cursor: str | None = None
    while True:
        page, cursor = items.list_items(state=indexes.index_state(name="docs"), cursor=cursor, limit=limit, include=())
        result.append([row.key for row in page])
        if cursor is None:
            return result
        if callable(between):
            between()


def fill(*keys: str) -> None:
    add("docs", [{"id": key, "vector": [1, 0, 0]} for key in keys])


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_hold_every_item_once_in_the_order_of_ids(limit: int) -> None:
    make_index()
    keys = ["B", "a", "b", "é", "z", "😀", "~"]
    fill(*keys)

    found = pages(limit)

    assert [key for page in found for key in page] == sorted(keys)
    assert all(len(page) == limit for page in found[:-1])
    assert found[-1]


def test_items_that_stay_are_listed_once_while_others_come_change_and_go() -> None:
    make_index()
    fill(*[f"k{i:03}" for i in range(100)])
    turns = iter(range(1000))

    def write() -> None:
        turn = next(turns)
        delete("docs", f"k{turn * 2 + 1:03}")
        add("docs", [{"id": f"k{turn * 2:03}", "vector": [turn, 1, 1]}])  # a stayer gets a later sequence number
        fill(f"n{turn:03}", f"a{turn:03}")

    listed = [key for page in pages(7, write) for key in page]

    stayed = {f"k{i * 2:03}" for i in range(50)}
    assert stayed <= set(listed)
    assert len(listed) == len(set(listed))


def test_include_says_what_is_read() -> None:
    make_index()
    add("docs", [{"id": "a", "vector": [1, 0, 0], "metadata": {"x": 1}}])
    state = indexes.index_state(name="docs")

    without, _ = items.list_items(state=state, cursor=None, limit=1, include={"metadata"})
    with_vector, _ = items.list_items(state=state, cursor=None, limit=1, include={"vector"})

    assert without == [LiveRow("a", '{"x":1}', None)]
    assert with_vector[0].vector == bytes.fromhex("0000803f0000000000000000")


def test_fetch_keeps_the_order_and_names_the_missing() -> None:
    make_index()
    fill("a", "b", "c")
    delete("docs", "b")

    found, missing = items.fetch_items(state=indexes.index_state(name="docs"), keys=["c", "zz", "b", "a"], include=())

    assert [row.key for row in found] == ["c", "a"]
    assert missing == ["zz", "b"]


@pytest.mark.parametrize("cursor", ["!", "AA=A", "%", "AA", "/w"])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    make_index()

    with pytest.raises(InvalidInput, match="next"):
        items.list_items(state=indexes.index_state(name="docs"), cursor=cursor, limit=1, include=())
