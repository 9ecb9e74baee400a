"""Exports and evaluation sets by command."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from distillation.eval_set_files import parse_eval_set
from lakehouse_site.errors import InvalidInput
from tests.distillation.exporting import a_run, ingest, read_lines

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_copies_the_files_and_prints_the_funnel(tmp_path: Path) -> None:
    ingest(a_run("one"), a_run("two", "rejected"), a_run("three"))
    out = tmp_path / "out"

    text = run("export_sft", "--out", str(out), "--split", "100/0/0")
    again = json.loads(run("export_sft", "--out", str(out), "--split", "100/0/0", "--json"))

    assert "firewall                     3         2  1 firewall_blocked" in text
    assert "2 rows: 2 train, 0 validation, 0 test." in text
    assert not again["is_new"]
    assert {row["outcome"] for row in read_lines(out / "decisions.jsonl")} == {"exported", "firewall_blocked"}
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "dataset_info.json",
        "decisions.jsonl",
        "manifest.json",
        "provenance.jsonl",
        "test.jsonl",
        "train.jsonl",
        "validation.jsonl",
    ]


def test_a_folder_with_an_earlier_export_is_replaced_and_any_other_is_left_alone(tmp_path: Path) -> None:
    ingest(a_run("one"))
    run("export_sft", "--out", str(tmp_path / "out"), "--file-type", "parquet")
    run("export_sft", "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out" / "train.parquet").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")

    with pytest.raises(CommandError, match=r"holds something else than an export \(README\.md\)"):
        run("export_sft", "--out", str(tmp_path / "mine"))
    assert (tmp_path / "mine" / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--kind", "kto", "--format", "alpaca"], "A set of kind kto has one of the formats kto"),
        (["--split", "90/5"], "percentages of train, validation and test"),
        (["--eval-set", "no-such-file.jsonl"], "no-such-file.jsonl cannot be read"),
    ],
)
def test_what_cannot_be_asked_for_is_said(arguments: list[str], error: str) -> None:
    with pytest.raises(CommandError, match=error):
        run("export_sft", *arguments)


def test_faults_of_an_evaluation_set_are_told_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "evals.jsonl"
    file.write_text('{"id": "a", "prompt": "x"}\n\n{"id": "a", "prompt": "y"}\nno json\n{"id": "b"}\n')

    with pytest.raises(CommandError) as refusal:
        run("eval_set", "add", str(file))

    assert [part in str(refusal.value) for part in ("line 3: The id 'a'", "line 4: It is not", "line 5: prompt")] == [
        True
    ] * 3
    with pytest.raises(InvalidInput, match="has no items"):
        parse_eval_set("empty", [b"\n"])


def test_evaluation_sets_by_command(tmp_path: Path) -> None:
    file = tmp_path / "ours.jsonl"
    file.write_text('\ufeff{"id": "a", "prompt": "x", "answer": null, "more": 1}\n')

    added = json.loads(run("eval_set", "add", str(file), "--json"))
    file.write_text('{"id": "a", "prompt": "other"}\n')
    run("eval_set", "add", str(file))
    listed = json.loads(run("eval_set", "list", "--json"))
    run("eval_set", "retire", "ours")

    assert (added["name"], added["items"], added["is_active"]) == ("ours", 1, True)
    assert [info["is_active"] for info in listed] == [False, True]
    assert "retired" in run("eval_set", "list")
    with pytest.raises(CommandError, match="no active evaluation set named 'ours'"):
        run("eval_set", "retire", "ours")
