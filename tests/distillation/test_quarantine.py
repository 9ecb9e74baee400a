from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from distillation.disputes import recall_if_disputed
from distillation.errors import NotReleasable, QuarantinedLineNotFound
from distillation.ingestion import ingest_scored_runs
from distillation.models import Export, ExportRow, QuarantinedLine, RecallNotice, ScoredRun, ScoredRunFile
from distillation.posted_runs import ingest_body
from distillation.quarantine import Decided, discard_line, release_line
from lakehouse_site.errors import InvalidInput, StorageFailed
from tests.distillation.run_lines import assert_conserved, line, write_file

pytestmark = pytest.mark.usefixtures("distillation_db")


def export_with(run_id: str, status: str = Export.Status.COMPLETE) -> Export:
    export = Export.objects.create(
        export_id=f"{run_id}-{status}", kind="sft", status=status, config={}, started_at=timezone.now()
    )
    run = ScoredRun.objects.get(run_id=run_id)
    ExportRow.objects.create(
        export=export, run=run, category=run.category, role="sft", include_partial=False, split="train",
        row_number=0, row_sha256="0" * 64,
    )  # fmt: skip
    return export


def only_open() -> QuarantinedLine:
    return QuarantinedLine.objects.get(status="open")


def release(row: QuarantinedLine, **options: int) -> Decided:
    return release_line(line_id=row.pk, decided_by="ann", note="looked at", **options)


def discard(row: QuarantinedLine) -> Decided:
    return discard_line(line_id=row.pk, decided_by="ann", note="looked at")


def response_of(run_id: str) -> tuple[bool, bool]:
    """Whether a run has its first content, and whether it is disputed."""
    run = ScoredRun.objects.get(run_id=run_id)
    return '"first"' in run.content, run.is_disputed


@pytest.fixture
def disputed(tmp_path: Path) -> Path:
    """Run a with the response first, contradicted by line 2 of another file."""
    write_file(tmp_path, [line("a", response="first")], "1.jsonl")
    write_file(tmp_path, [line("b"), line("a", response="second")], "2.jsonl")
    ingest_scored_runs(root=tmp_path)
    return tmp_path


def test_discarding_a_contradiction_ends_the_dispute(disputed: Path) -> None:
    assert response_of("a") == (True, True)

    done = discard(only_open())

    row = QuarantinedLine.objects.get()
    assert (done.outcome, done.is_disputed) == ("discarded", False)
    assert response_of("a") == (True, False)
    assert (row.status, row.decided_by, row.note) == ("discarded", "ann", "looked at")
    assert row.decided_at is not None
    assert_conserved()


def test_releasing_a_contradiction_swaps_the_contents(disputed: Path) -> None:
    row = only_open()
    done = release(row)

    run = ScoredRun.objects.select_related("file").get(run_id="a")
    assert (done.outcome, done.is_disputed) == ("replaced", False)
    assert response_of("a") == (False, False)
    assert (run.file.path.rpartition("/")[2], run.line) == ("2.jsonl", 2)
    assert_conserved()

    # The content it had can be brought back.
    displaced = QuarantinedLine.objects.get(status="discarded")
    assert release(displaced).outcome == "replaced"
    assert response_of("a") == (True, False)
    assert_conserved()


def test_what_a_person_has_decided_stays_decided_when_files_are_read_again(disputed: Path) -> None:
    release(only_open())
    write_file(disputed, [line("a", response="first"), line("c")], "1.jsonl")
    write_file(disputed, [line("b"), line("a", response="second"), line("d")], "2.jsonl")

    ingest_scored_runs(root=disputed)

    assert response_of("a") == (False, False)
    assert not QuarantinedLine.objects.filter(status="open").exists()
    assert_conserved()


def test_a_dispute_lasts_until_the_last_contradiction_is_decided(disputed: Path) -> None:
    write_file(disputed, [line("a", response="third"), line("a", response="third")], "3.jsonl")
    ingest_scored_runs(root=disputed)
    second, third, _ = QuarantinedLine.objects.filter(status="open").order_by("pk")

    assert discard(second).is_disputed
    assert not discard(third).is_disputed  # with its twin: it is the same question

    assert response_of("a") == (True, False)


def test_a_dispute_recalls_complete_exports_that_hold_the_run(tmp_path: Path) -> None:
    write_file(tmp_path, [line("a"), line("b")], "1.jsonl")
    ingest_scored_runs(root=tmp_path)
    complete, writing = export_with("a"), export_with("a", Export.Status.WRITING)
    export_with("b")

    write_file(tmp_path, [line("a", score=1), line("a", score=0)], "2.jsonl")
    ingest_scored_runs(root=tmp_path)

    assert list(RecallNotice.objects.values_list("export__pk", "run__run_id", "reason")) == [
        (complete.pk, "a", "disputed")
    ]
    # One that is completed after the dispute is told when it is.
    assert recall_if_disputed(writing) == recall_if_disputed(writing) == 1
    assert RecallNotice.objects.count() == 2


def test_a_line_that_was_too_long_is_read_again_from_its_file(tmp_path: Path) -> None:
    write_file(tmp_path, [line("short"), line("long", prompt="x" * 9_000)])
    ingest_scored_runs(root=tmp_path, max_line_bytes=5_000)
    row = only_open()

    with pytest.raises(NotReleasable, match="line_too_long"):
        release(row, max_line_bytes=6_000)
    done = release(row)

    assert (done.outcome, done.run_id) == ("ingested", "long")
    run = ScoredRun.objects.get(run_id="long")
    assert (run.line, run.prompt_characters) == (2, 9_000)
    assert_conserved()
    with pytest.raises(NotReleasable, match="decided before: Released"):
        release(row)


def test_a_file_that_is_another_by_now_releases_nothing(tmp_path: Path) -> None:
    path = write_file(tmp_path, [line("long", prompt="x" * 9_000)])
    ingest_scored_runs(root=tmp_path, max_line_bytes=5_000)
    row = only_open()

    path.write_bytes(path.read_bytes() + line("b"))
    with pytest.raises(NotReleasable, match="is not the file it was"):
        release(row)
    path.unlink()
    with pytest.raises(StorageFailed):
        release(row)

    assert not ScoredRun.objects.exists()
    assert only_open() == row


def test_a_short_line_needs_no_file(tmp_path: Path) -> None:
    lines = line("a") + b"\n"
    ingest_body(sent=lines, lines=lines, max_line_bytes=20)
    row = only_open()

    assert release(row).outcome == "ingested"
    assert_conserved()


def test_a_line_that_is_still_wrong_or_contradicts_is_not_released(tmp_path: Path) -> None:
    write_file(tmp_path, [b"{", line("a", score=1)])
    ingest_scored_runs(root=tmp_path)
    with pytest.raises(NotReleasable, match="still no valid run: invalid_json"):
        release(only_open())
    discard(only_open())
    write_file(tmp_path, [line("a", score=0)], "2.jsonl")
    ingest_scored_runs(root=tmp_path, max_line_bytes=20)

    with pytest.raises(NotReleasable, match="known with another content"):
        release(only_open())

    assert ScoredRun.objects.get().is_disputed is False
    assert_conserved()


def test_decisions_need_a_line_and_a_name() -> None:
    with pytest.raises(QuarantinedLineNotFound):
        discard_line(line_id=1, decided_by="ann")
    with pytest.raises(InvalidInput, match="who decides"):
        discard_line(line_id=1, decided_by="")
    assert not ScoredRunFile.objects.exists()
