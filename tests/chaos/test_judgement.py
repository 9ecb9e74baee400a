"""The judges of the chaos tests: what is lost, torn or wrong does not pass them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.book import BATCH_ITEMS, Book, item, same_items
from tests.chaos.result import Result, table


def stored(batch: str, version: int, count: int = BATCH_ITEMS) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in (item(batch, i, version) for i in range(count))}


@pytest.mark.parametrize(
    ("items", "counts"),
    [
        (stored("a", 2), (0, 0, 0)),
        (stored("a", 1), (1, 0, 0)),
        ({}, (1, 0, 0)),
        (stored("a", 2, 19), (0, 1, 0)),
        (stored("a", 2) | stored("a", 1, 3), (0, 1, 0)),
        (stored("a", 2) | stored("b", 1), (0, 0, 1)),
        (stored("a", 2) | {"a/0": {**item("a", 0, 2), "vector": item("a", 0, 1)["vector"]}}, (0, 1, 0)),
    ],
    ids=["as promised", "older", "gone", "a part", "two versions", "never sent", "a mixture"],
)
def test_the_book_sees_what_is_not_as_promised(items: dict[str, dict[str, Any]], counts: tuple[int, int, int]) -> None:
    result = Result("", "", "")
    book = Book(result)
    book.allowed["a"] = {2}

    book.audit(items, "now")

    assert (result.lost, result.torn, result.wrong) == counts


def test_what_was_cut_off_may_be_there_or_not_but_only_once_decided() -> None:
    result = Result("", "", "")
    book = Book(result)
    book.allowed["a"] = {1, 2}

    book.audit(stored("a", 1), "first")
    assert result.is_clean
    book.audit(stored("a", 2), "then")

    assert result.lost == 1


def test_one_changed_bit_makes_items_differ() -> None:
    changed = stored("a", 1)
    changed["a/3"]["vector"][0] *= 1.0001

    assert same_items(stored("a", 1), stored("a", 1))
    assert not same_items(stored("a", 1), changed)


def test_the_table_has_a_line_for_each_result() -> None:
    result = Result("kill", "sqlite", "local", rounds=3, recoveries=[1.0, 2.0, 4.0])

    header, line = table([result]).splitlines()

    assert header.split()[:3] == ["scenario", "database", "storage"]
    assert line.split()[:11] == ["kill", "sqlite", "local", "3", "0", "0", "0", "0", "0", "2.00", "4.00"]
