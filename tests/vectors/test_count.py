from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from lakehouse_site.errors import IndexNotFound
from tests.factories import add, delete, make_index
from vectors import indexes, items
from vectors.filters import parse_filter
from vectors.replicas import replicas

pytestmark = pytest.mark.usefixtures("vectors_db")


def count(body: dict[str, Any] | None) -> int:
    wanted = None if body is None else parse_filter(body)
    return items.count_items(state=indexes.index_state(name="docs"), wanted=wanted)


def fill(total: int, **more: Any) -> None:
    add("docs", [{"id": f"{i}", "vector": [1, 0, i], "metadata": {"n": i, **more}} for i in range(total)])


def test_items_are_counted_with_and_without_a_filter() -> None:
    make_index()
    assert (count(None), count({}), count({"n": 1})) == (0, 0, 0)

    fill(10)
    delete("docs", "3")

    assert (count(None), count({})) == (9, 9)
    assert count({"n": {"$lt": 5}}) == 4
    assert count({"n": {"$gte": 5}}) == 5
    assert count({"$not": {"n": {"$lt": 5}}}) == 5


def test_counting_in_a_dropped_index_is_not_zero() -> None:
    make_index()
    fill(3)
    state = indexes.index_state(name="docs")
    indexes.drop_index(name="docs")

    with pytest.raises(IndexNotFound):
        items.count_items(state=state, wanted=parse_filter({"n": 1}))


def test_columns_of_filters_count_towards_the_budget_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LAKEHOUSE_VECTOR_MEMORY_MB", 1)
    make_index()
    make_index("other")
    add("other", [{"id": "a", "vector": [1, 0, 0], "metadata": {"n": 1}}])
    items.count_items(state=indexes.index_state(name="other"), wanted=parse_filter({"n": 1}))
    assert "other" in replicas.names()

    fill(40, text="x" * 10_000)
    add("docs", [{"id": f"t{i}", "vector": [1, 0, i], "metadata": {"text": f"{i}" * 20_000}} for i in range(60)])
    count({"text": {"$contains": "7"}})

    assert replicas.names() == ["docs"]
