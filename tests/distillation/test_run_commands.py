"""The commands, as a person or a script runs them, and the example that makes their input."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from distillation.listing import list_scored_run_files
from distillation.loading import load_scored_runs_from_file
from distillation.models import QuarantinedLine, ScoredRun
from tests.distillation.run_lines import SAMPLE, line, write_file
from tests.processes import ROOT

pytestmark = pytest.mark.usefixtures("distillation_db")

QUESTION = {"role": "user", "content": "What is a lake?"}
ANSWER = {"role": "assistant", "content": "Water."}


def manage(*arguments: str) -> str:
    output = io.StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "bring-in-scored-runs.md").read_text()
    commands = re.findall(r"^    \.venv/bin/python manage\.py (.+)$", page, re.MULTILINE)
    root = tmp_path / "data"
    write_file(root, [line("a"), b"{", line("long", prompt="x" * 9_000_000), line("a", score=1)])

    done: dict[str, str] = {}
    for command in commands:
        words = re.findall(r'"[^"]*"|\S+', command)
        ids = dict(zip(("17", "18"), QuarantinedLine.objects.order_by("pk").values_list("pk", flat=True), strict=False))
        changed = {"ROOT": str(root), "report.jsonl": str(tmp_path / "report.jsonl")}
        changed |= {word: str(pk) for word, pk in ids.items()}
        done[command.split(" --note")[0]] = manage(*[changed.get(word, word.strip('"')) for word in words])

    assert len(commands) == 6
    assert done["list_scored_runs ROOT"].startswith("data/scored-runs/2026/03/01/runs.jsonl  9")
    assert "Nothing was changed." in done["ingest_scored_runs ROOT --dry-run"]
    assert "3 quarantined, 1 ingested" in done["ingest_scored_runs ROOT --report report.jsonl"]
    assert len((tmp_path / "report.jsonl").read_text().splitlines()) == 4
    assert len(done["quarantine list"].splitlines()) == 3
    assert done["quarantine discard 17"].endswith(": discarded.\n")
    assert done["quarantine release 18"].endswith(": ingested, run long.\n")


def test_json_answers_are_for_scripts(tmp_path: Path) -> None:
    write_file(tmp_path, [line("a"), b"{"])

    files = json.loads(manage("list_scored_runs", str(tmp_path), "--json"))
    done = json.loads(manage("ingest_scored_runs", str(tmp_path), "--json"))
    (row,) = [json.loads(each) for each in manage("quarantine", "list", "--json").splitlines()]
    decided = json.loads(manage("quarantine", "discard", str(row["id"]), "--by", "ann", "--json"))

    assert files[0]["bytes"] == len(line("a")) + 3
    assert done["totals"]["ingested"] == 1
    assert done["quarantine_codes"] == {"invalid_json": 1}
    assert (row["code"], row["line"]) == ("invalid_json", 2)
    assert decided["outcome"] == "discarded"
    assert QuarantinedLine.objects.get().decided_by == "ann"


def test_a_file_that_cannot_be_read_is_a_failure_that_stops_no_other(tmp_path: Path) -> None:
    write_file(tmp_path, b"no gzip", "broken.jsonl.gz")
    write_file(tmp_path, [line("a")])

    with pytest.raises(CommandError, match=r"broken\.jsonl\.gz: line 1: The gzip stream is damaged"):
        manage("ingest_scored_runs", str(tmp_path))

    assert ScoredRun.objects.count() == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest_scored_runs", "/nowhere/at/all"),
        ("ingest_scored_runs", str(SAMPLE), "--max-line-bytes", "0"),
        ("ingest_scored_runs", str(SAMPLE), "--dry-run", "--report", "x.jsonl"),
        ("list_scored_runs", "/nowhere/at/all"),
        ("quarantine", "release", "1"),
        ("quarantine", "list", "--code", "odd"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as caught:
        manage(*arguments)

    assert "\n" not in str(caught.value)
    assert not ScoredRun.objects.exists()


def span(**attributes: Any) -> dict[str, Any]:
    messages = [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
    answers = [{"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}]
    known = {
        "gen_ai.request.model": "m", "gen_ai.input.messages": json.dumps(messages), "gen_ai.output.messages": answers,
    }  # fmt: skip
    return {"span_id": "0af7", "end_time": "2026-03-02T10:00:00Z", "attributes": {**known, **attributes}}


def completion(run_id: str, messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    request = {"model": "m-large", "messages": messages}
    return {
        "id": run_id,
        "created": 1_772_500_000,
        "request": request,
        "response": {"choices": [{"message": ANSWER}]},
        **more,
    }


def test_the_example_makes_runs_of_a_log(tmp_path: Path) -> None:
    verdict = {"category": "accepted", "score": 0.9, "scorer": "rubric", "scorer_version": 2}
    tool = {"role": "tool", "content": "42"}
    log = [
        completion("c-1", [{"role": "developer", "content": "Be brief."}, QUESTION], verdict=verdict),
        completion("c-2", [QUESTION]),
        completion("c-3", [QUESTION, tool]),
        span(**{"verdict.category": "rejected"}),
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in log))

    script = ROOT / "examples" / "runs_from_chat_log.py"
    done = subprocess.run(
        [sys.executable, str(script), str(path), str(tmp_path)], capture_output=True, text=True, check=True
    )

    loaded = [each for file in list_scored_run_files(tmp_path) for each in load_scored_runs_from_file(file)]
    assert done.stderr == "line 3: passed over, no plain conversation\n"
    assert [each.fault for each in loaded] == [None] * 3
    runs = {each.run.run_id: each.run for each in loaded if each.run}
    assert {run_id: run.category for run_id, run in runs.items()} == {
        "c-1": "accepted", "c-2": "needs_human_review", "span-0af7": "rejected",
    }  # fmt: skip
    assert (runs["c-1"].scorer_name, runs["c-1"].scorer_version, runs["c-1"].score) == ("rubric", "2", 0.9)
