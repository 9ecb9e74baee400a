from __future__ import annotations

from typing import Any

import pytest

from lakehouse_site.errors import IndexNotFound, InvalidInput, MergeConflict
from tests.factories import add, delete, make_index
from vectors import indexes, items, merge
from vectors.merge import MergeResult
from vectors.validation import Merge

pytestmark = pytest.mark.usefixtures("vectors_db")


def content(name: str) -> dict[str, tuple[str | None, bytes | None]]:
    page, _ = items.list_items(
        state=indexes.index_state(name=name), cursor=None, limit=10_000, include={"vector", "metadata"}
    )
    return {row.key: (row.metadata, row.vector) for row in page}


def run(dest: str = "b", source: str = "a", **options: Any) -> MergeResult:
    return merge.merge_indexes(source=source, merge=Merge(dest, **options))


@pytest.fixture
def overlap(vectors_db: None) -> None:
    """a: x y z, b: z (another vector) w; y of a has no metadata, b has a tombstone of x."""
    make_index("a")
    make_index("b")
    add("a", [{"id": "x", "vector": [1, 0, 0], "metadata": {"from": "a"}}, {"id": "y", "vector": [0, 1, 0]}])
    add("a", [{"id": "z", "vector": [0, 0, 1]}])
    add("b", [{"id": "x", "vector": [9, 9, 9], "metadata": {"old": 1}}, {"id": "w", "vector": [1, 1, 0]}])
    add("b", [{"id": "z", "vector": [0, 1, 1], "metadata": {"from": "b"}}])
    delete("b", "x")


@pytest.mark.usefixtures("overlap")
def test_skip_adds_what_is_new_and_leaves_the_source_alone() -> None:
    source, dest = content("a"), content("b")

    result = run()

    assert result == MergeResult("a", "b", 3, 2, 0, 1, 0, 3, 4)
    assert content("a") == source
    assert content("b") == dest | {"x": source["x"], "y": source["y"]}


@pytest.mark.usefixtures("overlap")
def test_clear_source_removes_only_what_was_added() -> None:
    source = content("a")

    result = run(clear_source=True)

    assert result == MergeResult("a", "b", 3, 2, 0, 1, 2, 1, 4)
    assert content("a") == {"z": source["z"]}


@pytest.mark.usefixtures("overlap")
def test_overwrite_takes_vector_and_metadata_of_the_source() -> None:
    source = content("a")

    result = run(on_conflict="overwrite", clear_source=True)

    assert result == MergeResult("a", "b", 3, 2, 1, 0, 2, 1, 4)
    assert content("b")["z"] == source["z"] == (None, content("a")["z"][1])


@pytest.mark.usefixtures("overlap")
def test_error_refuses_before_anything_is_written() -> None:
    before = content("a"), content("b"), indexes.index_state(name="b").last_seq

    with pytest.raises(MergeConflict, match="'z'"):
        run(on_conflict="error", clear_source=True)

    assert (content("a"), content("b"), indexes.index_state(name="b").last_seq) == before


@pytest.mark.usefixtures("overlap")
@pytest.mark.parametrize("clear_source", [False, True])
def test_a_dry_run_counts_and_changes_nothing(clear_source: bool) -> None:
    before = content("a"), content("b")

    result = run(dry_run=True, clear_source=clear_source)

    assert result == MergeResult("a", "b", 3, 2, 0, 1, 2 if clear_source else 0, 3, 2)
    assert (content("a"), content("b")) == before


@pytest.mark.usefixtures("overlap")
def test_a_second_run_adds_nothing() -> None:
    run()
    before = indexes.index_state(name="b").last_seq

    again = run()

    assert (again.added, again.skipped) == (0, 3)
    assert indexes.index_state(name="b").last_seq == before


def test_an_interrupted_merge_loses_nothing_and_is_completed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vectors.merge.CHUNK_ROWS", 10)
    make_index("a")
    make_index("b")
    add("a", [{"id": f"{i:03}", "vector": [1, i, 0]} for i in range(55)])
    everything = content("a")

    def stop(scanned: int) -> None:
        if indexes.index_state(name="b").live_count >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge.merge_indexes(source="a", merge=Merge("b", clear_source=True), progress=stop)
    assert len(content("a")) == 25
    assert content("a") | content("b") == everything

    result = run(clear_source=True)

    assert (result.added, result.source_count, result.dest_count) == (25, 0, 55)
    assert content("b") == everything


def test_a_chunk_that_fails_leaves_both_sides_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    make_index("a")
    make_index("b")
    add("a", [{"id": f"{i:03}", "vector": [1, i, 0]} for i in range(5)])
    before = content("a")
    monkeypatch.setattr("vectors.merge.bury_items", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run(clear_source=True)

    assert content("a") == before
    assert content("b") == {}


def test_what_cannot_be_merged_is_refused() -> None:
    make_index("a")
    make_index("wide", dimension=4)
    make_index("flat", distance="dot")

    for dest, code in (("a", "self_merge"), ("wide", "dimension_mismatch"), ("flat", "distance_mismatch")):
        with pytest.raises(InvalidInput) as caught:
            run(dest)
        assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/dest", code)]
    with pytest.raises(IndexNotFound, match="'nix'"):
        run("nix")
    with pytest.raises(IndexNotFound, match="'nix'"):
        run("a", source="nix")
