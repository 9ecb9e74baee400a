from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import add, add_rows, delete, find, found_keys, make_index, random_rows
from vectors import indexes, maintenance
from vectors.maintenance import purge_tombstones
from vectors.models import IndexHead, VectorItem
from vectors.rows import purge as rows_purge
from vectors.transactions import run_write

pytestmark = pytest.mark.usefixtures("vectors_db", "small_graphs", "storage")

DATA = random_rows(60, 8)


def age_marks() -> None:
    IndexHead.objects.exclude(purge_mark_at=None).update(purge_mark_at=datetime(2020, 1, 1, tzinfo=UTC))


def purge(name: str = "docs") -> int:
    return purge_tombstones(head=IndexHead.objects.get(index__name=name))


def tombstones() -> int:
    return VectorItem.objects.filter(deleted=True).count()


def test_tombstones_go_when_they_are_old_enough() -> None:
    make_index(dimension=8)
    keys = add_rows("docs", DATA)
    delete("docs", *keys[:20])
    assert purge() == 0, "their age is not known yet"
    delete("docs", *keys[20:30])
    assert purge() == 0, "the first are not an hour old yet"
    age_marks()

    assert purge() == 20
    assert (tombstones(), IndexHead.objects.get().tombstone_floor) == (10, 80)

    age_marks()
    assert purge() == 10
    assert tombstones() == 0
    assert len(found_keys("docs", DATA[40], k=100)) == 30


def test_many_tombstones_go_in_several_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "PURGE_ROWS", 7)
    make_index(dimension=8)
    keys = add_rows("docs", DATA)
    delete("docs", *keys)
    purge()
    age_marks()

    assert purge() == 60


def test_an_index_without_old_tombstones_costs_no_write() -> None:
    make_index(dimension=8)
    add_rows("docs", DATA)
    purge()
    age_marks()

    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            assert purge() == 0

    assert not [query for query in queries if not query["sql"].startswith("SELECT")]


def test_a_purge_that_is_taken_back_leaves_the_floor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=8)
    delete("docs", *add_rows("docs", DATA)[:5])
    head = IndexHead.objects.get()

    def die(*arguments: Any) -> int:
        rows_purge(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr("vectors.rows.purge", die)
    with pytest.raises(KeyboardInterrupt):
        run_write(lambda: maintenance._purge_some(head.pk, head.last_seq))

    assert (tombstones(), IndexHead.objects.get().tombstone_floor) == (5, 0)


def test_an_index_dropped_meanwhile_has_nothing_to_purge() -> None:
    make_index(dimension=8)
    delete("docs", *add_rows("docs", DATA)[:5])
    purge()
    age_marks()
    head = IndexHead.objects.get()
    indexes.drop_index(name="docs")

    assert purge_tombstones(head=head) == 0


def test_an_id_whose_tombstone_is_gone_can_be_added_again() -> None:
    make_index(dimension=8)
    add("docs", [{"id": "a", "vector": [1] * 8, "metadata": {"old": True}}])
    assert len(found_keys("docs", [1] * 8)) == 1
    delete("docs", "a")
    run_write(lambda: maintenance._purge_some(IndexHead.objects.get().pk, 2))
    add("docs", [{"id": "a", "vector": [2] * 8}])

    (hit,) = find("docs", [1] * 8).hits[0]

    assert (hit.key, hit.metadata) == ("a", None)
