from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from django.core.management import CommandError, call_command
from pyarrow import parquet

from distillation.freezes import frozen_scorers
from distillation.models import ScorerFreeze
from drift.alerts import list_alerts
from drift.models import DriftDelivery
from tests.drift.runs import add_runs, day, make_monitor

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str, status: int = 0) -> str:
    out = StringIO()
    found = 0
    try:
        call_command(*arguments, stdout=out, stderr=StringIO())
    except SystemExit as error:
        found = int(error.code or 0)
    assert found == status
    return out.getvalue()


def write(path: Path, values: list[float | None]) -> str:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"score": value}) + "\n" for value in values))
    elif path.suffix == ".csv":
        path.write_text("score,x\n" + "".join(f"{'' if value is None else value},1\n" for value in values))
    elif path.suffix == ".npy":
        np.save(path, np.array(values, dtype=float))
    else:
        parquet.write_table(pa.table({"score": values}), path)
    return str(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".npy", ".parquet"])
def test_two_files_of_any_kind_are_compared(tmp_path: Path, suffix: str) -> None:
    old = write(tmp_path / f"old{suffix}", [0.1, 0.2, 0.3, None] * 50)
    new = write(tmp_path / f"new{suffix}", [0.7, 0.8, 0.9, None] * 50)

    same = json.loads(run("measure_drift", old, old, "--json"))
    text = run("measure_drift", old, new, status=3)

    assert (same["psi"], same["n_reference"], same["dropped_reference"]["nan"]) == (0.0, 150, 50)
    assert "ALERT" in text
    assert "dropped 50 / 50" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"score": 1}\n{"score": "a"}\n', "line 2: 'a' is no number"),
        ('{"score": 1}\n{broken\n', "line 2 is no JSON"),
        ('{"other": 1}\n', "line 1 has no field 'score'"),
    ],
)
def test_a_file_that_is_wrong_is_told_where(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(content)

    with pytest.raises(CommandError, match=said):
        run("measure_drift", str(file), str(file))
    with pytest.raises(CommandError, match="No such file"):
        run("measure_drift", str(tmp_path / "none.csv"), str(file))
    with pytest.raises(CommandError, match="has to end with"):
        run("measure_drift", str(tmp_path / "a.xls"), str(file))


def test_two_times_of_scored_runs_are_compared() -> None:
    add_runs([0.1, 0.2] * 50, day(0))
    add_runs([0.8, 0.9] * 50, day(1))
    times = ("2026-01-01T00:00+00:00/2026-01-02T00:00+00:00", "2026-01-02T00:00+00:00/2026-01-03T00:00+00:00")

    result = json.loads(run("measure_drift", *times, "--runs", "--json", status=3))

    assert (result["n_reference"], result["n_current"], result["tier"]) == (100, 100, "major")


def test_two_files_of_verdicts_freeze_a_scorer_until_somebody_has_looked(tmp_path: Path) -> None:
    for name, category in (("old", "rejected"), ("new", "accepted")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"run_id": "a", "category": category}) + "\n")
    files = (str(tmp_path / "old.jsonl"), str(tmp_path / "new.jsonl"))

    text = run("measure_drift", *files, "--verdicts", "--freeze", "judge/2", status=3)
    frozen = frozen_scorers()
    freeze = ScorerFreeze.objects.get()
    run("drift_acknowledge", str(freeze.pk), "--freeze", "--by", "Ada", "--note", "meant so")
    run("measure_drift", *files, "--verdicts", "--freeze", "judge/2", status=3)

    assert "crossed the firewall: a" in text
    assert frozen == [("judge", "2")]
    assert frozen_scorers() == []


def test_due_checks_are_made_told_and_acknowledged() -> None:
    make_monitor()
    add_runs([0.1, 0.2] * 50, day(2))
    add_runs([0.8, 0.9] * 50, day(3))

    by_name = run("drift_check", "watch")
    result = json.loads(run("drift_check", "--due", "--json"))

    assert "no_data" in by_name
    assert result["left_out"] > 0
    assert {report["verdict"] for report in result["reports"]} == {"no_data"}
    assert DriftDelivery.objects.get().state == "sent"
    seen = json.loads(run("drift_acknowledge", str(list_alerts().get().pk), "--by", "Ada", "--json"))
    assert seen["state"] == "acknowledged"


def test_a_check_that_fails_fails_the_command_after_the_others() -> None:
    make_monitor(name="a", target="vector_index", selection={"index": "gone"}, reference="fixed")
    make_monitor(name="b")

    with pytest.raises(CommandError, match=r"Checks failed: a\."):
        run("drift_check", "--due")
    assert list_alerts().filter(monitor__name="b", kind="no_data").exists()


@pytest.mark.parametrize("arguments", [["drift_check"], ["drift_check", "x", "--due"], ["drift_check", "none"]])
def test_what_is_to_be_checked_has_to_be_said(arguments: list[Any]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)
