"""Runs, exports and decisions as tables: what they hold is what the database holds."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from distillation import lake_exports
from distillation.errors import ExportBusy
from distillation.lake_exports import write_exports
from distillation.lake_runs import write_runs
from distillation.models import Export, QuarantinedLine, RecallNotice, ScoredRun, StageDecision
from distillation.posted_runs import ingest_body
from distillation.quarantine import discard_line, release_line
from tests.catalog.own_rows import data_files_of, opened, rows_of, summaries_of
from tests.distillation.exporting import a_run, export, ingest, ingest_sample

pytestmark = pytest.mark.usefixtures("distillation_db")


def contradict(run_id: str, **changes: Any) -> int:
    """Send another content of a run; return the quarantined line."""
    body = (json.dumps(a_run(run_id, **changes)) + "\n").encode()
    ingest_body(sent=body, lines=body)
    return QuarantinedLine.objects.latest("pk").pk


def current_runs() -> dict[str, tuple[str, bool]]:
    """Return run id → content and dispute, read as the page says."""
    contested = {row["run_id"]: row for row in rows_of("contested_runs").to_pylist()}
    rows = [row for row in rows_of("scored_runs").to_pylist() if row["run_id"] not in contested]
    return {row["run_id"]: (row["content"], row["is_disputed"]) for row in [*rows, *contested.values()]}


def in_database() -> dict[str, tuple[str, bool]]:
    return {run.run_id: (run.content, run.is_disputed) for run in ScoredRun.objects.all()}


def test_all_runs_are_there_with_all_that_is_known_of_them() -> None:
    ingest_sample()

    write_runs()

    found = {row["id"]: row for row in rows_of("scored_runs").to_pylist()}
    assert len(found) == ScoredRun.objects.count() == 296
    same = ("run_id", "task_id", "attempt", "category", "source", "scored_at", "score", "scorer_name",
            "scorer_version", "model", "content", "content_sha256", "prompt_characters", "response_characters",
            "ingested_at", "is_disputed")  # fmt: skip
    for run in ScoredRun.objects.select_related("file"):
        row = found[run.pk]
        assert {name: row[name] for name in same} == {name: getattr(run, name) for name in same}
        assert (row["source_file"], row["source_line"]) == (run.file.path, run.line)
    types = {field.name: str(field.field_type) for field in opened("scored_runs").schema().fields}
    assert (types["scored_at"], types["score"], types["is_disputed"]) == ("timestamptz", "double", "boolean")
    assert all(field.doc for field in opened("scored_runs").schema().fields)
    assert current_runs() == in_database()


def test_runs_are_added_as_they_come() -> None:
    counts = []
    for names in ((), ("a", "b"), (), ("c",)):
        ingest(*[a_run(name) for name in names])
        counts.append(write_runs()[0].rows)

    assert counts == [0, 2, 0, 1]
    assert len(summaries_of("scored_runs")) == 2


def test_what_becomes_of_a_run_stands_beside_it() -> None:
    ingest(a_run("a"), a_run("b"), a_run("c"))
    write_runs()

    lines = {name: contradict(name, response="another answer") for name in "ab"}
    disputed = write_runs()
    assert {name for name, (_, is_disputed) in current_runs().items() if is_disputed} == {"a", "b"}
    assert current_runs() == in_database()
    release_line(line_id=lines["a"], decided_by="Ada")
    discard_line(line_id=lines["b"], decided_by="Ada")
    settled, again = write_runs(), write_runs()

    assert [one.is_changed for one in (*disputed, *settled, *again)] == [False, True, False, True, False, False]
    assert current_runs() == in_database()
    assert json.loads(current_runs()["a"][0])["response"] == "another answer"
    assert rows_of("scored_runs").num_rows == 3


def test_an_export_and_its_decisions_are_there() -> None:
    ingest_sample()
    first, second = export(), export(kind="preference")

    write_exports()

    rows = {row["export_id"]: row for row in rows_of("exports").to_pylist()}
    assert set(rows) == {first.export_id, second.export_id}
    row = rows[first.export_id]
    assert (row["kind"], row["status"], row["format"], row["rows"]) == ("sft", "complete", "messages", first.rows)
    assert (json.loads(row["splits"]), json.loads(row["outcomes"])) == (first.splits, first.outcomes)
    assert isinstance(row["finished_at"], datetime)
    found = {
        (row["export_id"], row["run_id"]): (row["outcome"], row["split"] or "", row["group_name"] or "",
                                            json.loads(row["evidence"]), row["source_file"], row["source_line"])
        for row in rows_of("export_decisions").to_pylist()
    }  # fmt: skip
    stored = StageDecision.objects.select_related("export", "run__file")
    assert found == {
        (one.export.export_id, one.run.run_id): (
            one.outcome, one.split, one.group, one.evidence, one.run.file.path, one.run.line
        )
        for one in stored
    }  # fmt: skip
    assert len(data_files_of("export_decisions")) == 2
    assert opened("export_decisions").scan(f"export_id = '{second.export_id}'").to_arrow().num_rows == 296


def test_a_recall_changes_the_row_of_an_export_and_not_its_decisions() -> None:
    ingest(a_run("a"), a_run("b"))
    export()
    write_exports()
    contradict("a", response="another answer")
    assert RecallNotice.objects.count() == 1

    exports, decisions = write_exports()

    assert (exports.is_changed, decisions.is_changed) == (True, False)
    assert rows_of("exports")["open_recall_notices"].to_pylist() == [1]


def test_without_anything_the_tables_are_there_and_empty() -> None:
    written = [*write_runs(), *write_exports()]

    assert [one.total_rows for one in written] == [0, 0, 0, 0]
    for name in ("scored_runs", "contested_runs", "exports", "export_decisions"):
        assert rows_of(name).num_rows == 0


def test_an_export_that_is_not_complete_has_no_decisions_here() -> None:
    ingest(a_run("a"))
    export()
    Export.objects.update(status=Export.Status.WRITING)

    _, decisions = write_exports()

    assert (decisions.is_changed, rows_of("export_decisions").num_rows) == (False, 0)
    assert rows_of("exports")["status"].to_pylist() == ["writing"]


def test_decisions_that_are_being_made_anew_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(a_run("a"))
    export()
    inner = lake_exports._decision_rows

    def rows(one: Export) -> Any:
        yield from inner(one)
        Export.objects.update(status=Export.Status.WRITING)

    monkeypatch.setattr(lake_exports, "_decision_rows", rows)

    with pytest.raises(ExportBusy, match="anew"):
        write_exports()

    assert rows_of("export_decisions").num_rows == 0


def test_an_export_writes_the_tables_and_makes_up_for_those_before(settings: Settings) -> None:
    for number in range(4):
        ingest(a_run(f"run-{number}"))
        export()  # without the tables, as if they could not be written
    settings.LAKEHOUSE_LAKE_EXPORTS = True
    ingest(a_run("last"))

    done = export()
    export()  # the same, which is there already

    finished = Export.objects.order_by("-finished_at").values_list("export_id", flat=True)
    assert finished[0] == done.export_id
    assert set(rows_of("export_decisions")["export_id"].to_pylist()) == set(finished[:3])
    assert rows_of("exports").num_rows == 5
    write_exports()
    assert set(rows_of("export_decisions")["export_id"].to_pylist()) == set(finished)


def test_an_export_does_not_fail_with_its_tables(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.LAKEHOUSE_LAKE_EXPORTS = True
    ingest(a_run("a"))

    def fail(**_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(lake_exports, "write_exports", fail)
        done = export()

    assert Export.objects.get().status == Export.Status.COMPLETE
    assert "tables of exports not written" in caplog.text
    write_exports()
    assert rows_of("export_decisions")["export_id"].to_pylist() == [done.export_id]


def test_the_commands_tell_what_they_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    ingest(a_run("a"))
    export()

    call_command("lake_runs", "--dry-run")
    call_command("lake_exports", "--json")

    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "lakehouse.scored_runs: 1 rows would be written. Nothing was changed."
    assert [(one["table"], one["rows"]) for one in json.loads(last)["tables"]] == [
        ("lakehouse.exports", 1),
        ("lakehouse.export_decisions", 1),
    ]
