"""Indexes as tables: all items as of one moment, once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command

from catalog.index_tables import write_index
from lakehouse_site.errors import IndexNotFound
from tests.catalog.own_rows import opened, rows_of, summaries_of
from tests.factories import add, delete, make_index
from vectors.indexes import drop_index

pytestmark = pytest.mark.usefixtures("warehouse")
ITEMS: list[dict[str, Any]] = [
    {"id": "a", "vector": [1, 0, 0.5], "metadata": {"n": 1e300, "text": "é"}},
    {"id": "b", "vector": [0, 1, 0]},
]


def test_the_table_holds_the_items() -> None:
    make_index()
    add("docs", ITEMS)

    done = write_index(name="docs")

    assert (done.table, done.rows) == ("lakehouse.index_docs", 2)
    found = sorted(rows_of("index_docs").to_pylist(), key=lambda row: row["id"])
    assert [(row["id"], row["vector"]) for row in found] == [("a", [1, 0, 0.5]), ("b", [0, 1, 0])]
    assert [row["metadata"] and json.loads(row["metadata"]) for row in found] == [{"n": 1e300, "text": "é"}, None]
    assert str(opened("index_docs").schema().find_type("vector")) == "list<float>"


def test_it_is_written_when_the_index_has_moved() -> None:
    make_index()
    empty = write_index(name="docs")
    add("docs", ITEMS)
    full, again = write_index(name="docs"), write_index(name="docs")
    delete("docs", "a")
    less = write_index(name="docs")

    assert [(one.is_changed, one.total_rows) for one in (empty, full, again, less)] == [
        (True, 0), (True, 2), (False, 2), (True, 1),
    ]  # fmt: skip
    assert len(summaries_of("index_docs")) == 3


def test_an_index_of_the_same_name_is_another_one() -> None:
    make_index()
    add("docs", ITEMS)
    write_index(name="docs")
    drop_index(name="docs")
    make_index(dimension=2)
    add("docs", [{"id": "x", "vector": [1, 2]}])
    add("docs", [{"id": "x", "vector": [3, 4]}])

    assert write_index(name="docs").is_changed
    assert [(row["id"], row["vector"]) for row in rows_of("index_docs").to_pylist()] == [("x", [3, 4])]


def test_an_index_that_is_not_there_makes_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(IndexNotFound):
        write_index(name="docs")
    make_index()
    add("docs", ITEMS)

    call_command("lake_index", "docs", "--dry-run", "--json")

    (found,) = json.loads(capsys.readouterr().out)["tables"]
    assert (found["rows"], found["is_dry_run"]) == (2, True)
