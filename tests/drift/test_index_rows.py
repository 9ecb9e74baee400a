from __future__ import annotations

import numpy as np
import pytest

from drift.checks import check_due
from drift.index_rows import read_index_rows
from drift.models import DriftReport, ReferenceProfile
from tests.drift.runs import day, make_monitor
from tests.factories import add_rows, delete, make_index, random_rows
from vectors.replicas import replicas

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_graphs_left() -> None:
    replicas.stop()


@pytest.mark.parametrize(
    ("items", "most", "expected"), [(10, 100, 10), (10, 5, 5), (25, 10, 9), (0, 5, 0), (2500, 2000, 1250)]
)
def test_rows_are_drawn_evenly_by_id(items: int, most: int, expected: int) -> None:
    make_index(dimension=2, distance="euclidean")
    rows = np.arange(2 * items, dtype=np.float32).reshape(items, 2)
    add_rows("docs", rows)

    found = read_index_rows(name="docs", most=most)

    step = max(1, -(-items // most))
    assert found.rows.tolist() == rows[::step].tolist()
    assert (len(found.rows), found.count) == (expected, items)


def test_a_page_border_does_not_shift_the_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drift.index_rows.MAX_PAGE_ITEMS", 7)
    make_index(dimension=2, distance="euclidean")
    rows = np.arange(80, dtype=np.float32).reshape(40, 2)
    add_rows("docs", rows)

    assert read_index_rows(name="docs", most=12).rows.tolist() == rows[::4].tolist()


def test_an_index_is_watched_against_its_first_look() -> None:
    make_index(dimension=8, distance="cosine")
    keys = add_rows("docs", random_rows(300, 8))
    make_monitor(target="vector_index", selection={"index": "docs"}, reference="fixed", parameters={"rows": 200})
    check_due(now=day(4))
    check_due(now=day(5))
    delete("docs", *keys)
    add_rows("docs", random_rows(300, 8, seed=1) + 1.0, prefix="n")

    check_due(now=day(6))

    reports = DriftReport.objects.order_by("window_end")
    assert [report.verdict for report in reports] == ["insufficient_data", "stable", "major"]
    assert ReferenceProfile.objects.get().n == 150
