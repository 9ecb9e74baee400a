"""The firewall of exports, layer by layer: each one alone holds back what a sabotaged pipeline lets through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from distillation import export_plan, export_publish, export_records
from distillation.errors import ExportRefused, FirewallBreach
from distillation.export_request import KINDS, canary_runs, canary_text
from distillation.export_storage import FILE_NAMES, object_name
from distillation.export_verify import verify
from distillation.firewall import SFT_NEVER, Category, Role, may_stand
from distillation.models import Export, ExportRow, ScoredRun
from distillation.pipeline import run_pipeline
from distillation.pipeline_types import Decision, Outcome, PipelineResult, Row, Run, Sample
from lakehouse_site.errors import DamagedFile
from tests.distillation.exporting import a_run, export, ingest, stored, the_export

pytestmark = pytest.mark.django_db(transaction=True)

Check = Callable[..., Any]


def let_through(run: Run, *, says: str) -> Callable[..., PipelineResult]:
    """Return a pipeline that exports this run too, and says it is of category `says`."""

    def sabotaged(runs: Sequence[Run], *arguments: Any, **options: Any) -> PipelineResult:
        found = run_pipeline(runs, *arguments, **options)
        sample = Sample("", (), "", str(run.content["prompt"]), str(run.content["response"]))
        row = Row(run.run_id, run.task_id, says, "sft", "train", run.task_id, sample)
        decisions = [
            Decision(run.run_id, Outcome.EXPORTED, "train", run.task_id) if decision.run_id == run.run_id else decision
            for decision in found.decisions
        ]
        return replace(found, rows=[*found.rows, row], decisions=decisions)

    return sabotaged


@pytest.fixture
def rejected(monkeypatch: pytest.MonkeyPatch) -> str:
    """One good and one rejected run, and a pipeline that lets the rejected one through as accepted."""
    ingest(a_run("good"), a_run("bad", "rejected"))
    stored_run = ScoredRun.objects.get(run_id="bad")
    content = {"prompt": "bad question", "response": "bad answer"}
    run = Run("bad", "task-bad", "rejected", "support", 1, None, stored_run.scored_at, False, content)
    monkeypatch.setattr(export_plan, "run_pipeline", let_through(run, says="accepted"))
    return "bad"


def disarm_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distillation.export_writer.check_roles", lambda *_, **__: None)


def lie_to_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store every row as accepted, which the CHECK cannot know to be wrong."""
    inner = export_records.record_rows

    def record(attempt: Any, rows: Any, origins: Any, **options: Any) -> None:
        inner(attempt, rows, {key: replace(origin, category="accepted") for key, origin in origins.items()}, **options)

    monkeypatch.setattr(export_records, "record_rows", record)


def assert_nothing_was_published() -> None:
    export_row = the_export()
    assert (export_row.status, export_row.manifest) == (Export.Status.FAILED, None)
    for name in FILE_NAMES:
        with pytest.raises(DamagedFile):
            stored(export_row.export_id, name)


def test_what_may_never_be_trained_on_is_pinned() -> None:
    assert frozenset({"rejected", "needs_human_review"}) == SFT_NEVER


def test_the_writer_refuses_a_rejected_run_whatever_the_pipeline_says_of_it(rejected: str) -> None:
    with pytest.raises(FirewallBreach, match="The run bad is rejected and may not stand as sft"):
        export()

    assert_nothing_was_published()


def test_the_database_refuses_it_when_the_writer_does_not(rejected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    disarm_writer(monkeypatch)

    with pytest.raises(FirewallBreach, match="The database refused a row"):
        export()

    assert_nothing_was_published()


def test_reading_the_file_again_finds_it_when_the_database_was_lied_to(
    rejected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disarm_writer(monkeypatch)
    lie_to_the_database(monkeypatch)

    with pytest.raises(FirewallBreach, match="Row 1 of train: the run bad is rejected"):
        export()

    assert_nothing_was_published()


def test_the_last_transaction_finds_it_when_nobody_read_the_files(
    rejected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disarm_writer(monkeypatch)
    lie_to_the_database(monkeypatch)
    monkeypatch.setattr("distillation.export_verify.may_stand", lambda *_, **__: True)

    with pytest.raises(FirewallBreach, match=r"The run bad is rejected and may not stand as sft\. Export again"):
        export()

    assert_nothing_was_published()


def test_a_canary_that_was_let_through_is_noticed_by_its_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(a_run("good"))

    def open_gate(runs: Sequence[Run], *arguments: Any, **options: Any) -> PipelineResult:
        return run_pipeline([replace(run, category="accepted") for run in runs], *arguments, **options)

    monkeypatch.setattr(export_plan, "run_pipeline", open_gate)

    with pytest.raises(FirewallBreach, match="A planted canary passed the firewall"):
        export()

    assert not Export.objects.exists()


@pytest.mark.parametrize("file_type", ["jsonl", "parquet"])
def test_the_text_of_a_canary_is_found_in_the_files(monkeypatch: pytest.MonkeyPatch, file_type: str) -> None:
    ingest(a_run("good"))

    def smuggle(runs: Sequence[Run], *arguments: Any, **options: Any) -> PipelineResult:
        found = run_pipeline(runs, *arguments, **options)
        canary = next(run for run in runs if run.source == "canary")
        first = found.rows[0]
        sample = replace(first.sample, response=str(canary.content["response"]))
        return replace(found, rows=[replace(first, sample=sample)])

    monkeypatch.setattr(export_plan, "run_pipeline", smuggle)

    with pytest.raises(FirewallBreach, match=f"A planted canary, .* stands in train.{file_type}"):
        export(file_type=file_type)

    assert_nothing_was_published()


@pytest.mark.parametrize("kind", KINDS)
def test_canaries_are_of_categories_that_stand_in_no_role_of_the_kind(kind: str) -> None:
    roles = {"sft": [Role.SFT], "preference": [Role.CHOSEN, Role.REJECTED], "kto": [Role.KTO_TRUE, Role.KTO_FALSE]}

    canaries = canary_runs("0" * 40, kind)

    assert canaries
    for run in canaries:
        assert not any(may_stand(run.category, role, include_partial=True) for role in roles[kind])
        assert canary_text("0" * 40) in str(run.content["response"])


def test_a_row_that_a_trainer_would_drop_fails_the_export(monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(a_run("good"))

    def empty(runs: Sequence[Run], *arguments: Any, **options: Any) -> PipelineResult:
        found = run_pipeline(runs, *arguments, **options)
        first = found.rows[0]
        return replace(found, rows=[replace(first, sample=replace(first.sample, response=" "))])

    monkeypatch.setattr(export_plan, "run_pipeline", empty)

    with pytest.raises(ExportRefused, match=r"Row 0 of train: messages\[1\].content is empty"):
        export()

    assert_nothing_was_published()


def test_a_file_that_changes_behind_the_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(a_run("good"))
    inner = verify

    def damage(attempt: Any, *arguments: Any) -> Any:
        path = default_storage.path(object_name(attempt.export_id, "train.jsonl"))
        with open(path, "ab") as file:
            file.write(b"{}\n")
        return inner(attempt, *arguments)

    monkeypatch.setattr(export_publish, "verify", damage)

    with pytest.raises(ExportRefused, match=r"not what was written: train\.jsonl"):
        export()

    assert_nothing_was_published()


def test_the_database_takes_a_row_only_where_it_may_stand() -> None:
    ingest(a_run("good"))
    export()
    export_row, run = the_export(), ScoredRun.objects.get()
    every = list(product(Role, [*Category, "unknown"], [False, True]))

    for place, (role, category, include_partial) in enumerate(every, 1):
        row = ExportRow(export=export_row, run=run, category=category, role=role, include_partial=include_partial)
        row.split, row.row_number, row.row_sha256 = "train", place, "0" * 64
        if may_stand(category, role, include_partial=include_partial):
            row.save()
        else:
            with pytest.raises(IntegrityError, match="distillation_export_row_firewall"), transaction.atomic():
                row.save()

    assert ExportRow.objects.count() == 1 + sum(may_stand(c, r, include_partial=p) for r, c, p in every) == 1 + 13
