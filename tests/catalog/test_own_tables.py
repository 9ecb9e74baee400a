"""Our own rows as tables: once, whoever comes in between, and readable from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from catalog import own_files, relations
from catalog.appends import append_files
from catalog.callers import SYSTEM
from catalog.commits import TableChange, commit_tables, rollback
from catalog.errors import BadCatalogRequest, CommitFailed
from catalog.models import Namespace, Warehouse
from catalog.own_table_types import NAMESPACE, UPTO, Column, Held, OwnTable, Rows, Source
from catalog.own_tables import append_rows, batches_of, replace_rows, whole_state
from tests.catalog.own_rows import (
    column_of,
    data_files_of,
    data_files_on_disk,
    opened,
    rows_of,
    summaries_of,
    the_table,
)

NOTES = OwnTable("notes", "What was noted.", (Column("id", "long", "Its number."), Column("text", "string", "It.")))
WIDER = OwnTable("notes", "What was noted.", (*NOTES.columns, Column("at", "timestamptz", "When.")))
MOMENT = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("warehouse")


def notes(upto: int, table: OwnTable = NOTES) -> Source:
    """The notes 1 to `upto`, those a table does not have."""

    def source(held: Held) -> Rows | None:
        since = int(held.marks.get(UPTO, 0))
        if since >= upto:
            return None
        rows = [(number, f"note {number}", MOMENT)[: len(table.columns)] for number in range(since + 1, upto + 1)]
        return Rows(batches_of(table, rows), {UPTO: str(upto)})

    return source


def after(inner: Source, *events: Callable[[], object]) -> Source:
    """A source during whose first readings something else happens."""
    waiting = list(events)

    def source(held: Held) -> Rows | None:
        found = inner(held)
        if waiting and found is not None:
            waiting.pop(0)()
        return found

    return source


def test_rows_are_written_once_and_the_next_write_goes_on_from_the_mark() -> None:
    first = append_rows(table=NOTES, source=notes(3))
    again = append_rows(table=NOTES, source=notes(3))
    more = append_rows(table=NOTES, source=notes(5))

    assert (first.rows, again.rows, more.rows, more.total_rows) == (3, 0, 2, 5)
    assert (first.is_changed, again.is_changed) == (True, False)
    assert column_of("notes", "id") == [1, 2, 3, 4, 5]
    assert [summary[UPTO] for summary in summaries_of("notes")] == ["3", "5"]


def test_the_table_is_described() -> None:
    append_rows(table=WIDER, source=notes(1, WIDER))

    table = opened("notes")
    found = [(field.name, str(field.field_type), field.doc) for field in table.schema().fields]
    assert found == [("id", "long", "Its number."), ("text", "string", "It."), ("at", "timestamptz", "When.")]
    assert table.properties["comment"] == "What was noted."
    assert rows_of("notes").to_pylist() == [{"id": 1, "text": "note 1", "at": MOMENT}]


def test_a_table_without_rows_is_made_and_can_be_read() -> None:
    done = append_rows(table=NOTES, source=notes(0))

    assert (done.rows, done.snapshot_id, done.is_changed) == (0, None, False)
    assert rows_of("notes").num_rows == 0


def test_a_dry_run_counts_and_makes_nothing() -> None:
    done = append_rows(table=NOTES, source=notes(7), is_dry_run=True)
    assert (done.rows, done.is_changed, done.is_dry_run) == (7, True, True)
    assert not Namespace.objects.filter(path=NAMESPACE[0]).exists()

    append_rows(table=NOTES, source=notes(3))
    more = append_rows(table=NOTES, source=notes(5), is_dry_run=True)

    assert (more.rows, more.total_rows) == (2, 3)
    assert column_of("notes", "id") == [1, 2, 3]


def test_whoever_comes_second_writes_only_what_is_missing_then() -> None:
    append_rows(table=NOTES, source=notes(1))
    other: Callable[[], object] = lambda: append_rows(table=NOTES, source=notes(3))  # noqa: E731

    done = append_rows(table=NOTES, source=after(notes(5), other))

    assert (done.rows, done.total_rows) == (2, 5)
    assert column_of("notes", "id") == [1, 2, 3, 4, 5]
    assert data_files_on_disk("notes") == data_files_of("notes")  # nothing is left of the lost attempt


def test_whoever_comes_second_with_the_same_rows_writes_nothing() -> None:
    other: Callable[[], object] = lambda: append_rows(table=NOTES, source=notes(3))  # noqa: E731

    done = append_rows(table=NOTES, source=after(notes(3), other))

    assert (done.is_changed, done.total_rows) == (False, 3)
    assert column_of("notes", "id") == [1, 2, 3]


def test_who_is_overtaken_every_time_gives_up_and_leaves_nothing() -> None:
    events = [lambda upto=upto: append_rows(table=NOTES, source=notes(upto)) for upto in range(1, 9)]

    with pytest.raises(CommitFailed, match="kept changing"):
        append_rows(table=NOTES, source=after(notes(20), *events))

    assert column_of("notes", "id") == list(range(1, 9))
    assert data_files_on_disk("notes") == data_files_of("notes")


def test_a_new_column_is_added_and_older_rows_have_none() -> None:
    append_rows(table=NOTES, source=notes(1))
    append_rows(table=WIDER, source=notes(2, WIDER))
    append_rows(table=NOTES, source=notes(3))  # a process that runs the older code

    found = sorted(rows_of("notes").to_pylist(), key=lambda row: row["id"])
    assert [row["at"] for row in found] == [None, MOMENT, None]
    assert opened("notes").schema().find_field("at").doc == "When."


def test_two_that_add_the_same_column_add_it_once() -> None:
    append_rows(table=NOTES, source=notes(1))
    other: Callable[[], object] = lambda: append_rows(table=WIDER, source=notes(2, WIDER))  # noqa: E731

    append_rows(table=WIDER, source=after(notes(4, WIDER), other))

    assert [field.name for field in opened("notes").schema().fields] == ["id", "text", "at"]
    assert column_of("notes", "id") == [1, 2, 3, 4]


def test_a_rollback_takes_the_mark_back_with_the_rows(warehouse: Warehouse) -> None:
    first = append_rows(table=NOTES, source=notes(2))
    append_rows(table=NOTES, source=notes(4))
    assert first.snapshot_id is not None
    rollback(warehouse=warehouse, levels=NAMESPACE, name="notes", snapshot_id=first.snapshot_id, caller=SYSTEM)

    done = append_rows(table=NOTES, source=notes(4))

    assert done.rows == 2
    assert column_of("notes", "id") == [1, 2, 3, 4]


def test_the_mark_outlives_the_snapshots_that_carried_it(warehouse: Warehouse) -> None:
    done = append_rows(table=NOTES, source=notes(4))
    # An engine rewrites the table without a word of ours, and our snapshot expires.
    tasks = opened("notes").scan().plan_files()
    append_files(
        relation=the_table("notes"), files=[task.file for task in tasks], summary={}, caller=SYSTEM, is_overwrite=True
    )
    expiry = {"action": "remove-snapshots", "snapshot-ids": [done.snapshot_id]}
    commit_tables(warehouse=warehouse, changes=[TableChange(NAMESPACE, "notes", (), [expiry])], caller=SYSTEM)
    assert all(UPTO not in summary for summary in summaries_of("notes"))

    again = append_rows(table=NOTES, source=notes(5))

    assert again.rows == 1


def test_a_column_of_another_type_is_refused_and_nothing_is_left() -> None:
    append_rows(table=NOTES, source=notes(1))
    other = OwnTable("notes", "", (Column("id", "string", ""), Column("text", "string", "")))
    row = [("none", "x")]

    with pytest.raises(BadCatalogRequest, match=r"another type.*drop"):
        append_rows(table=other, source=lambda _: Rows(batches_of(other, row), {UPTO: "9"}))

    assert column_of("notes", "id") == [1]
    assert data_files_on_disk("notes") == data_files_of("notes")


def test_a_table_that_was_partitioned_anew_is_left_alone(warehouse: Warehouse) -> None:
    append_rows(table=NOTES, source=notes(1))
    spec = {"spec-id": 1, "fields": [{"source-id": 1, "field-id": 1000, "name": "id", "transform": "identity"}]}
    updates: list[dict[str, Any]] = [
        {"action": "add-spec", "spec": spec},
        {"action": "set-default-spec", "spec-id": -1},
    ]
    commit_tables(warehouse=warehouse, changes=[TableChange(NAMESPACE, "notes", (), updates)], caller=SYSTEM)

    with pytest.raises(BadCatalogRequest, match="partitioned in another way"):
        append_rows(table=NOTES, source=notes(2))


def test_a_source_that_fails_leaves_no_file() -> None:
    def rows() -> Iterator[Sequence[Any]]:
        yield from ((number, "x") for number in range(60_000))
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError, match="gone"):
        append_rows(table=NOTES, source=lambda _: Rows(batches_of(NOTES, rows()), {UPTO: "60000"}))

    assert data_files_on_disk("notes") == []
    assert append_rows(table=NOTES, source=notes(2)).rows == 2


def test_many_rows_go_into_several_files_of_one_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_files, "FILE_BYTES", 1)

    append_rows(table=NOTES, source=notes(120_000))

    assert len(data_files_of("notes")) == 3
    assert len(summaries_of("notes")) == 1
    assert column_of("notes", "id") == list(range(1, 120_001))


def test_each_value_of_a_partition_has_files_of_its_own() -> None:
    table = OwnTable("parts", "", (Column("part", "string", ""), Column("n", "int", "")), partition_by="part")
    seen: list[set[str]] = []

    def source(held: Held) -> Rows:
        seen.append(held.partitions())
        batches = [batch for part in "ab" for batch in batches_of(table, [(part, 1), (part, 2)])]
        return Rows(batches, {UPTO: "1"})

    append_rows(table=table, source=source)
    append_rows(table=table, source=source)

    assert seen == [set(), {"a", "b"}]
    assert len(data_files_of("parts")) == 4
    assert opened("parts").scan("part = 'a'").to_arrow().num_rows == 4


def test_a_state_is_written_when_it_is_another_one() -> None:
    rows = [(1, "one")]
    state = whole_state(NOTES, lambda: iter(rows))
    done = [replace_rows(table=NOTES, source=state) for _ in range(2)]
    rows[:] = [(2, "two"), (3, "three")]
    done.append(replace_rows(table=NOTES, source=state))
    rows.clear()
    done += [replace_rows(table=NOTES, source=state) for _ in range(2)]

    assert [one.is_changed for one in done] == [True, False, True, True, False]
    assert [one.total_rows for one in done] == [1, 1, 2, 0, 0]
    assert rows_of("notes").num_rows == 0


def test_the_mark_of_a_state_is_that_of_the_rows_that_were_written() -> None:
    states = [[(1, "one")], [(2, "two")], [(1, "one")]]  # it changes between the look and the writing, and back
    state = whole_state(NOTES, lambda: iter(states.pop(0) if len(states) > 1 else states[0]))

    done = [replace_rows(table=NOTES, source=state) for _ in range(3)]

    assert [one.is_changed for one in done] == [True, True, False]
    assert column_of("notes", "id") == [1]


def test_a_state_that_was_overtaken_is_read_again() -> None:
    rows = [(1, "old")]

    def newer() -> None:
        rows[:] = [(1, "new"), (2, "new")]
        replace_rows(table=NOTES, source=whole_state(NOTES, lambda: iter(rows)))

    old = tuple(rows)
    reads = iter([old, old])
    state = whole_state(NOTES, lambda: iter(next(reads, tuple(rows))))
    done = replace_rows(table=NOTES, source=after(state, newer))

    assert not done.is_changed
    assert column_of("notes", "text") == ["new", "new"]


def test_a_dropped_table_is_made_anew_with_all_rows(warehouse: Warehouse) -> None:
    append_rows(table=NOTES, source=notes(3))
    from catalog.relation_moves import drop

    drop(warehouse=warehouse, levels=NAMESPACE, name="notes", kind="table", purge_requested=False, caller=SYSTEM)
    assert relations.look_up(warehouse, NAMESPACE, "notes") is None

    assert append_rows(table=NOTES, source=notes(3)).rows == 3
    assert column_of("notes", "id") == [1, 2, 3]
