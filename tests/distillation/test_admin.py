from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from distillation.models import Export, QuarantinedLine, ScoredRun, StageDecision
from distillation.posted_runs import ingest_body
from tests.distillation.run_lines import assert_conserved, line

pytestmark = pytest.mark.usefixtures("distillation_db")

ADMIN = "/admin/distillation"


@pytest.fixture
def runs(distillation_db: None) -> None:
    body = b"\n".join([line("a", score=0), line("a", score=1), b'{"<script>', b""])
    ingest_body(sent=body, lines=body)
    export = Export.objects.create(export_id="e" * 64, kind="sft", config={}, started_at=timezone.now())
    run = ScoredRun.objects.get()
    StageDecision.objects.create(export=export, run=run, outcome="near_duplicate", evidence={"of": "run-<b>"})


@pytest.mark.usefixtures("runs")
def test_the_admin_shows_runs_files_and_quarantine(admin_client: Client) -> None:
    run, row = ScoredRun.objects.get(), QuarantinedLine.objects.get(code="invalid_json")

    page = admin_client.get(f"{ADMIN}/scoredrun/{run.pk}/change/").content.decode()
    lists = [
        admin_client.get(f"{ADMIN}/{name}/?q=a").status_code
        for name in ("scoredrun", "scoredrunfile", "quarantinedline")
    ]
    line_page = admin_client.get(f"{ADMIN}/quarantinedline/{row.pk}/change/").content.decode()

    assert lists == [200, 200, 200]
    assert "near_duplicate" in page
    assert "run-&lt;b&gt;" in page
    assert "{&quot;&lt;script&gt;" in line_page
    assert admin_client.post(f"{ADMIN}/scoredrun/{run.pk}/change/", {}).status_code == 403


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(("action", "score", "status"), [("release", 1.0, "released"), ("discard", 0.0, "discarded")])
def test_quarantined_lines_are_decided_with_a_note(
    admin_client: Client, action: str, score: float, status: str
) -> None:
    row = QuarantinedLine.objects.get(code="duplicate_run_id_conflict")
    form = {"action": action, "_selected_action": [row.pk], "note": "looked at"}

    page = admin_client.post(f"{ADMIN}/quarantinedline/", form, follow=True).content.decode()

    row.refresh_from_db()
    run = ScoredRun.objects.get()
    assert "1 lines are decided." in page
    assert (row.status, row.note, row.decided_by) == (status, "looked at", "admin")
    assert (run.score, run.is_disputed) == (score, False)
    assert_conserved()


@pytest.mark.usefixtures("runs")
def test_what_cannot_be_released_is_told(admin_client: Client) -> None:
    row = QuarantinedLine.objects.get(code="invalid_json")
    form = {"action": "release", "_selected_action": [row.pk], "note": ""}

    page = admin_client.post(f"{ADMIN}/quarantinedline/", form, follow=True).content.decode()

    assert "It is still no valid run" in page
    row.refresh_from_db()
    assert row.status == "open"
