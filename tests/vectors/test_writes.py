from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction

from lakehouse_site.errors import IndexNotFound
from tests.factories import add, delete, found_keys, make_index
from vectors import indexes, items, rows, validation, writes
from vectors.models import VectorItem
from vectors.transactions import run_write

pytestmark = pytest.mark.usefixtures("vectors_db")


def metadata(name: str, key: str) -> str | None:
    found, _ = items.fetch_items(state=indexes.index_state(name=name), keys=[key], include={"metadata"})
    return found[0].metadata


def put(key: str, vector: list[float], **rest: Any) -> dict[str, Any]:
    return {"id": key, "vector": vector, **rest}


def test_counts_and_sequence_numbers_of_adds() -> None:
    make_index()

    first = add("docs", [put("a", [1, 0, 0]), put("b", [0, 1, 0])])
    second = add("docs", [put("b", [0, 0, 1]), put("c", [1, 1, 0])])

    assert (first.added, first.updated, first.count, first.seq) == (2, 0, 2, 2)
    assert (second.added, second.updated, second.count, second.seq) == (1, 1, 3, 4)


def test_an_empty_batch_changes_nothing() -> None:
    before = make_index()

    result = add("docs", [])

    assert (result.added, result.updated, result.count, result.seq) == (0, 0, 0, 0)
    assert indexes.index_info(name="docs").updated_at == indexes.index_info(name="docs").created_at
    assert indexes.index_state(name="docs") == before


def test_the_same_id_twice_counts_as_sent_one_by_one_and_the_last_vector_wins() -> None:
    make_index()

    result = add("docs", [put("a", [1, 0, 0], metadata={"v": 1}), put("b", [0, 1, 0]), put("a", [0, 0, 1])])

    assert (result.added, result.updated, result.count) == (2, 1, 2)
    assert found_keys("docs", [0, 0, 1], k=1) == ["a"]
    assert metadata("docs", "a") == '{"v":1}'


def test_metadata_stay_when_absent_or_null_and_go_when_empty() -> None:
    make_index()
    add("docs", [put("a", [1, 0, 0], metadata={"v": 1})])

    add("docs", [put("a", [0, 1, 0])])
    assert metadata("docs", "a") == '{"v":1}'
    add("docs", [put("a", [0, 1, 0], metadata=None)])
    assert metadata("docs", "a") == '{"v":1}'
    add("docs", [put("a", [0, 1, 0], metadata={})])
    assert metadata("docs", "a") == "{}"


def test_a_deleted_id_comes_back_without_its_old_metadata() -> None:
    make_index()
    add("docs", [put("a", [1, 0, 0], metadata={"v": 1})])
    delete("docs", "a")

    result = add("docs", [put("a", [1, 0, 0])])

    assert (result.added, result.count) == (1, 1)
    assert metadata("docs", "a") is None


def test_the_identical_vector_keeps_its_label_and_a_new_one_gets_a_new_label() -> None:
    state = make_index()
    add("docs", [put("a", [1, 0, 0]), put("b", [0, 1, 0])])

    add("docs", [put("a", [1, 0, 0], metadata={"v": 2}), put("b", [0, 1, 1])])

    stored = rows.stored(state.id, ["a", "b"])
    assert stored["a"].label == 1
    assert stored["b"].label == 4
    assert metadata("docs", "a") == '{"v":2}'


def test_delete_names_what_was_missing_and_empties_the_row() -> None:
    state = make_index()
    add("docs", [put("a", [1, 0, 0], metadata={"v": 1}), put("b", [0, 1, 0])])

    result = delete("docs", "a", "zz", "b")
    again = delete("docs", "a")

    assert (result.deleted, result.missing) == (2, ["zz"])
    assert (again.deleted, again.missing) == (0, ["a"])
    assert indexes.index_state(name="docs").live_count == 0
    row = VectorItem.objects.get(index_id=state.id, key="a")
    assert (bytes(row.vector), row.metadata, row.deleted) == (b"", None, True)


def test_sequence_numbers_of_rows_are_unique_and_never_above_the_head() -> None:
    state = make_index()
    add("docs", [put(str(i), [1, i, 0]) for i in range(50)])
    delete("docs", *[str(i) for i in range(0, 50, 3)])
    add("docs", [put(str(i), [2, i, 0], **({"metadata": {}} if i % 2 else {})) for i in range(30)])

    seqs = list(VectorItem.objects.filter(index_id=state.id).values_list("seq", flat=True))
    assert len(set(seqs)) == len(seqs) == 50
    assert max(seqs) <= indexes.index_state(name="docs").last_seq


def test_vectors_are_stored_as_they_were_sent() -> None:
    state = make_index(dimension=2)
    add("docs", [put("a", [3, 0.1])])

    stored = rows.stored(state.id, ["a"])["a"].vector

    assert np.frombuffer(stored, "<f4").tolist() == np.array([3, 0.1], np.float32).tolist()


def test_a_write_to_an_index_that_was_dropped_meanwhile_is_refused() -> None:
    state = make_index()
    indexes.drop_index(name="docs")
    make_index()

    batch = validation.parse_add({"items": [put("a", [1, 0, 0])]}, 3, "cosine", max_items=10)
    with pytest.raises(IndexNotFound):
        writes.add_items(state=state, batch=batch)
    assert indexes.index_state(name="docs").live_count == 0


def test_a_write_inside_another_transaction_is_refused() -> None:
    make_index()

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        add("docs", [put("a", [1, 0, 0])])


def test_a_failing_write_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    before = make_index()
    monkeypatch.setattr("vectors.writes.change_live_count", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        add("docs", [put("a", [1, 0, 0])])

    assert indexes.index_state(name="docs") == before
    assert not VectorItem.objects.exists()


def test_ids_of_any_script_keep_apart() -> None:
    keys = ["a", "A", "ä", "a\u0308", " a", "a ", "%", "\u202e", "😀", "x" * 512, "'; DROP TABLE"]
    make_index()

    result = add("docs", [put(key, [1, 0, i]) for i, key in enumerate(keys)])

    assert result.added == len(keys)
    found, missing = items.fetch_items(state=indexes.index_state(name="docs"), keys=keys, include=set())
    assert [row.key for row in found] == keys
    assert missing == []


def test_a_serialization_failure_is_tried_again() -> None:
    from django.db import OperationalError

    class Conflict(Exception):
        sqlstate = "40001"

    tries = []

    def work() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError from Conflict()
        return "done"

    assert run_write(work) == "done"
    assert len(tries) == 3
    assert not connection.in_atomic_block
