"""What an export is asked for, found again, refused and recalled."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from distillation import eval_sets, export_publish, export_storage
from distillation.errors import ExportBusy, ScorerFrozen
from distillation.eval_set_files import parse_eval_set
from distillation.export_lock import export_lock
from distillation.export_records import begin, complete, fail
from distillation.export_request import make_request, parse_split
from distillation.export_storage import object_name
from distillation.export_verify import verify
from distillation.exports import plan_export
from distillation.freezes import acknowledge_freeze, freeze_scorer
from distillation.models import Export, ExportRow, RecallNotice, ScoredRun, StageDecision
from distillation.posted_runs import ingest_body
from lakehouse_site.errors import StorageFailed
from tests.distillation.exporting import a_run, export, ingest, stored, the_export
from vectors.objects import delete_object

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_same_input_and_configuration_is_the_same_export() -> None:
    ingest(a_run("one"), a_run("two", "rejected"))

    first, second = export(), export()

    assert (first.is_new, second.is_new) == (True, False)
    assert first.export_id == second.export_id
    assert Export.objects.count() == 1


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "kto"},
        {"format_name": "alpaca"},
        {"file_type": "parquet"},
        {"include_partial": True},
        {"attempts": "all"},
        {"split": "80/10/10"},
        {"eval_sets": (parse_eval_set("new", [b'{"id": "a", "prompt": "Which words are these?"}']),)},
    ],
    ids=str,
)
def test_another_configuration_is_another_export(wanted: dict[str, Any]) -> None:
    ingest(a_run("one"))

    assert export().export_id != export(**wanted).export_id


def test_another_run_or_a_dispute_is_another_export() -> None:
    ingest(a_run("one"))
    first = export().export_id
    ingest(a_run("two", "rejected"))
    second = export().export_id
    ScoredRun.objects.filter(run_id="one").update(is_disputed=True)
    third = export()

    assert len({first, second, third.export_id}) == 3
    assert third.outcomes == {"disputed": 1, "firewall_blocked": 1}
    assert third.rows == 0


def test_an_export_whose_files_are_gone_is_written_anew() -> None:
    ingest(a_run("one"))
    first = export()
    before = stored(first.export_id, "train.jsonl")
    delete_object(object_name(first.export_id, "train.jsonl"))

    again = export()

    assert (again.export_id, again.is_new) == (first.export_id, True)
    assert stored(first.export_id, "train.jsonl") == before
    assert (ExportRow.objects.count(), StageDecision.objects.count()) == (1, 1)


def test_a_storage_that_fails_leaves_a_failed_export_that_can_be_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ingest(a_run("one"))
    inner = export_storage.save

    def fail(export_id: str, path: Path) -> Any:
        if path.name == "train.jsonl":
            raise StorageFailed("No room.")
        return inner(export_id, path)

    monkeypatch.setattr(export_storage, "save", fail)
    with pytest.raises(StorageFailed):
        export()
    assert (the_export().status, the_export().error) == ("failed", "No room.")
    monkeypatch.undo()

    assert export().rows == 1
    assert (the_export().status, the_export().error) == ("complete", "")


def test_a_run_that_is_disputed_while_an_export_is_written_gets_a_recall_notice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ingest(a_run("one"), a_run("two"))
    inner = verify

    def dispute_meanwhile(*arguments: Any) -> Any:
        send({**a_run("two"), "response": "another answer"})
        return inner(*arguments)

    monkeypatch.setattr(export_publish, "verify", dispute_meanwhile)

    result = export()

    assert result.recall_notices == 1
    assert RecallNotice.objects.get().run.run_id == "two"


def test_a_run_that_is_disputed_later_recalls_the_export_and_leaves_the_next_one() -> None:
    ingest(a_run("one"), a_run("two"))
    first = export()

    send({**a_run("two"), "response": "another answer"})
    second = export()

    assert (first.rows, second.rows, second.outcomes["disputed"]) == (2, 1, 1)
    notice = RecallNotice.objects.get()
    assert (notice.export.export_id, notice.run.run_id) == (first.export_id, "two")


def send(line: dict[str, Any]) -> None:
    body = json.dumps(line).encode() + b"\n"
    ingest_body(sent=body, lines=body)


def test_a_frozen_scorer_refuses_new_exports_until_somebody_has_looked() -> None:
    ingest(a_run("one"), a_run("two", scorer={"name": "rubric", "version": "2"}))
    known = export()
    freeze = freeze_scorer(scorer_name="rubric", scorer_version="2", reason="It lets more through.")
    assert freeze is not None

    with pytest.raises(ScorerFrozen, match=rf"rubric 2 is frozen \(freeze {freeze.pk}\): It lets more through\."):
        export(split="80/10/10")
    with pytest.raises(ScorerFrozen):
        export()
    acknowledge_freeze(freeze_id=freeze.pk, by="Ada")

    assert export(split="80/10/10").rows == 2
    assert export().export_id == known.export_id


def test_a_frozen_scorer_whose_runs_are_not_exported_stops_nothing() -> None:
    ingest(a_run("one"), a_run("two", "rejected", scorer={"name": "rubric", "version": "2"}))
    freeze_scorer(scorer_name="rubric", scorer_version="2", reason="It lets more through.")

    assert export().rows == 1


def test_while_one_process_exports_another_is_told_so() -> None:
    ingest(a_run("one"))

    def try_elsewhere() -> Exception | None:
        try:
            export()
        except ExportBusy as error:
            return error
        finally:
            connection.close()
        return None

    with export_lock(wait_seconds=0), ThreadPoolExecutor(1) as pool:  # a thread has a session of its own
        error = pool.submit(try_elsewhere).result()

    assert "Another process is writing an export" in str(error)
    assert not Export.objects.exists()
    assert export().rows == 1


def test_an_attempt_that_another_process_has_taken_over_writes_nothing_more() -> None:
    ingest(a_run("one"))
    first = begin(export_id="0" * 40, kind="sft", config={})
    second = begin(export_id="0" * 40, kind="sft", config={})

    for late in (lambda: complete(first, rows=0, facts={}), lambda: fail(first, error="x")):
        with pytest.raises(ExportBusy, match="Another process has taken up the export"):
            late()

    assert the_export().status == "writing"
    complete(second, rows=0, facts={})
    assert the_export().status == "complete"


def test_a_dry_run_tells_everything_and_writes_nothing() -> None:
    ingest(a_run("one"), a_run("two", "rejected"))

    dry = plan_export(request=make_request())

    assert (dry.rows, dry.outcomes, dry.is_dry_run) == (1, {"exported": 1, "firewall_blocked": 1}, True)
    assert not Export.objects.exists()
    assert export().export_id == dry.export_id


def test_stored_evaluation_sets_are_used_by_every_export_until_they_are_retired() -> None:
    ingest(a_run("one"), a_run("two"))
    content = parse_eval_set("ours", [json.dumps({"id": "q", "prompt": a_run("one")["prompt"]}).encode()])
    eval_sets.add_eval_set(content=content)

    with_set = export()
    again = export(eval_sets=(content,))
    eval_sets.retire_eval_set(name="ours")
    without = export()

    assert (with_set.rows, with_set.outcomes["contaminated"], without.rows) == (1, 1, 2)
    assert again.export_id == with_set.export_id
    manifest = Export.objects.get(export_id=with_set.export_id).manifest
    assert manifest is not None
    assert manifest["hashed"]["eval_sets"][0]["hits"] == {"q": 1}


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("90/5/5", (0.9, 0.05, 0.05)),
        ("33.3/33.3/33.4", (0.333, 0.333, 0.334)),
        ("100/0/0", (1.0, 0.0, 0.0)),
        ("0/50/50", None),
        ("90/5", None),
        ("90/5/6", None),
        ("nan/5/5", None),
        ("-10/55/55", None),
        ("", None),
    ],
)
def test_splits(text: str, shares: tuple[float, float, float] | None) -> None:
    assert parse_split(text) == shares
