"""The benchmark of training sets: the same data from the same seed, and tables that say what was measured."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.distillation import generate
from benchmarks.distillation.run import OURS, Result, compare, markdown, measure, parse
from benchmarks.environments import Unavailable
from distillation.validation import ScoredRunLine, validate

FIGURES = {
    "parse": 0.5,
    "lines": 1_000.0,
    "tokenisation": 1.0,
    "decontamination": 2.0,
    "near_duplicates": 1.0,
    "documents": 800.0,
    "kept": 700.0,
    "whole": 10.0,
    "peak_mb": 12.0,
}


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        generate.write(tmp_path / name, 300)

    first, second = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*.jsonl")}
        for root in (tmp_path / "a", tmp_path / "b")
    )
    assert first == second
    lines = first[Path("scored-runs/2026/03/01/runs.jsonl")].splitlines()
    assert [isinstance(validate(line), ScoredRunLine) for line in lines] == [True] * 300


def test_the_runs_hold_what_the_stages_look_for() -> None:
    runs = list(islice(generate.lines(3_000), 3_000))
    items = {item["prompt"] for item in generate.eval_items()}

    bodies = Counter((run["prompt"], run["response"]) for run in runs)
    assert sum(count - 1 for count in bodies.values()) > 50
    assert sum(run["prompt"] in items for run in runs) > 10
    assert sum(str(run["response"]).endswith(" Again.") for run in runs) > 80


def test_the_table_has_medians_and_ratios_to_our_figures() -> None:
    faster = FIGURES | {"near_duplicates": 0.5, "ingest": 1.0, "pipeline": 4.0}
    result = Result(1_000, {OURS: [faster, faster, FIGURES | faster], "peer": [FIGURES]}, ["other is left out."])

    table = markdown([result])

    assert "| near duplicates, documents/s | 1,600 | 800 (0.5 ×) |" in table
    assert "| ingest into the database, lines/s | 1,000 | – |" in table
    assert "| peak memory, files in to files out | 12 MB | 12 MB |" in table
    assert "other is left out." in table


def test_a_contender_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no such thing"):
        measure((sys.executable, "-c", "raise SystemExit('no such thing')"), tmp_path)


@pytest.mark.parametrize("arguments", [["--lines", "0"], ["--rounds", "0"], ["--peers", "nobody"]])
def test_arguments_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)


@pytest.mark.slow
def test_our_side_runs_from_files_to_files(tmp_path: Path) -> None:
    result = compare(200, 1, [], tmp_path)

    figures = result.rounds[OURS][0]
    assert (figures["lines"], figures["documents"] >= figures["kept"] > 0) == (200, True)
    assert figures["ingest"] > 0
    assert figures["export"] > 0
    assert "200 lines" in markdown([result])
