from __future__ import annotations

import pytest

from lakehouse_site.errors import IndexExists, IndexNotFound
from tests.factories import add, find, make_index
from vectors import indexes
from vectors.models import IndexHead, VectorIndex, VectorItem

pytestmark = pytest.mark.usefixtures("vectors_db")


def test_a_name_can_be_taken_once() -> None:
    make_index()

    with pytest.raises(IndexExists):
        make_index(dimension=7)

    assert indexes.index_info(name="docs").dimension == 3
    assert IndexHead.objects.count() == 1


def test_dropping_frees_the_name_and_leaves_no_row() -> None:
    old = make_index()
    add("docs", [{"id": "a", "vector": [1, 0, 0]}])
    find("docs", [1, 0, 0])

    indexes.drop_index(name="docs")

    assert not VectorIndex.objects.exists()
    assert not IndexHead.objects.exists()
    assert not VectorItem.objects.exists()
    new = make_index(dimension=2)
    assert new.id != old.id
    assert find("docs", [1, 0]).hits == [[]]


def test_names_differ_by_case() -> None:
    make_index("Docs")
    make_index("docs")

    assert [index.name for index in indexes.list_indexes()] == ["Docs", "docs"]


@pytest.mark.parametrize("call", [indexes.drop_index, indexes.index_info, indexes.index_state])
def test_a_missing_index_is_named(call: object) -> None:
    with pytest.raises(IndexNotFound, match="'nix'"):
        call(name="nix")  # type: ignore[operator]
