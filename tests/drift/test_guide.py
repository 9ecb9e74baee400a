"""The commands of the guide to drift, run as they stand there."""

from __future__ import annotations

import json
import re
import shlex
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from distillation.freezes import freeze_scorer, frozen_scorers
from drift.alerts import list_alerts
from drift.models import DriftMonitor, DriftReport
from drift.monitor_fields import CHANNELS, FIELDS, REFERENCES, TARGETS
from tests.drift.runs import add_runs, day, make_monitor
from tests.processes import ROOT

GUIDE = (ROOT / "docs" / "how-to" / "watch-for-drift.md").read_text()
COMMAND = "    .venv/bin/python manage.py "


def command(name: str, containing: str = "") -> list[str]:
    """Return the one command of the guide that begins like this, without manage.py."""
    lines = [line.removeprefix(COMMAND) for line in GUIDE.splitlines() if line.startswith(COMMAND + name)]
    (found,) = [line for line in lines if containing in line]
    return shlex.split(found)


def run(*arguments: str, status: int = 0) -> str:
    out = StringIO()
    found = 0
    try:
        call_command(*arguments, stdout=out, stderr=StringIO())
    except SystemExit as error:
        found = int(error.code or 0)
    assert found == status, out.getvalue()
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_a_monitor_is_made_as_the_guide_says_and_looked_at() -> None:
    sent = re.search(r"curl -s http://127\.0\.0\.1:8000(\S+) -H 'Content-Type: (\S+)' -d '(.*?)'\n", GUIDE, re.DOTALL)
    assert sent is not None
    path, kind, body = sent.groups()

    answer = Client().post(path, body, content_type=kind)
    printed = run(*command("drift_check"))

    assert answer.status_code == 201, answer.content
    monitor = DriftMonitor.objects.get()
    assert (str(monitor.pk), monitor.name) == (answer.json()["id"], json.loads(body)["name"])
    assert "1 windows looked at" in printed
    assert DriftReport.objects.get().verdict == "no_data"


@pytest.mark.django_db(transaction=True)
def test_an_alert_and_a_freeze_are_acknowledged_as_the_guide_says() -> None:
    make_monitor(reference="previous", first_window_end=day(4).isoformat())
    run("drift_check", "--due")
    alert = list_alerts().get()
    freeze = freeze_scorer(
        scorer_name="judge", scorer_version="2", compared_with="1", reason="r", firewall_opened=("a",), figures={}
    )
    assert freeze is not None

    for_alert = [str(alert.pk) if word == "ALERT" else word for word in command("drift_acknowledge", "ALERT")]
    for_freeze = [str(freeze.pk) if word == "1" else word for word in command("drift_acknowledge", "--freeze")]
    run(*for_alert)
    run(*for_freeze)

    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == ("acknowledged", "Ada")
    assert frozen_scorers() == []


@pytest.mark.django_db(transaction=True)
def test_two_files_and_two_times_are_measured_as_the_guide_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (("old.csv", 0.1), ("new.csv", 0.9)):
        Path(name).write_text("score\n" + f"{value}\n{value + 0.05}\n" * 50)
    add_runs([0.5] * 50, day(3), response_characters=10)
    add_runs([0.5] * 50, day(35), response_characters=900)

    of_files = run(*command("measure_drift", "old.csv"), status=3)
    of_times = run(*command("measure_drift", "--runs"), status=3)

    assert "n 100 / 100" in of_files
    assert "n 50 / 50" in of_times


def test_the_guide_names_every_field_target_reference_and_channel() -> None:
    for name in (*FIELDS, *TARGETS, *REFERENCES, *CHANNELS):
        assert f"`{name}`" in GUIDE or f'"{name}"' in GUIDE, name
