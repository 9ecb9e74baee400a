"""The sample, exported: every run has the fate that is expected of it, and every file says the same."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from distillation.export_request import canary_text
from distillation.models import Export, ExportRow, StageDecision
from tests.distillation.exporting import (
    SAMPLE,
    SUMMARY,
    export,
    holdout,
    ingest_sample,
    read_lines,
    stored,
    the_export,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_run_of_the_sample_has_the_expected_fate(tmp_path: Path) -> None:
    ingest_sample()

    result = export(tmp_path / "out", eval_sets=(holdout(),))

    decisions = {(row["file"], row["line"]): row for row in read_lines(tmp_path / "out" / "decisions.jsonl")}
    expected = [row for row in read_lines(SAMPLE / "expected.jsonl") if row["sft"]]
    assert len(decisions) == len(expected) == SUMMARY["ingest"]["ingested"]
    keys = ("of", "how", "coverage", "jaccard", "suspicious", "redacted", "split", "group")
    for row in expected:
        found = decisions[row["file"], row["line"]]
        assert (found["run_id"], found["outcome"]) == (row["run_id"], row["sft"])
        if row["sft"] != "contaminated_neighbor":
            assert {key: found.get(key) for key in keys if key in row} == {key: row[key] for key in keys if key in row}
    assert result.splits == SUMMARY["splits"] == {"train": 142, "validation": 7, "test": 2}
    assert result.outcomes == {name: count for name, count in SUMMARY["sft"].items() if name != "-"}


def test_the_database_and_the_files_say_the_same(tmp_path: Path) -> None:
    ingest_sample()

    result = export(tmp_path, eval_sets=(holdout(),))

    provenance = read_lines(tmp_path / "provenance.jsonl")
    rows = ExportRow.objects.select_related("run").all()
    known = {(row.split, row.row_number): (row.run.run_id, row.row_sha256) for row in rows}
    assert len(provenance) == len(known) == result.rows == 151
    for place in provenance:
        line = (tmp_path / f"{place['split']}.jsonl").read_bytes().splitlines()[place["row"]]
        assert hashlib.sha256(line).hexdigest() == place["row_sha256"]
        assert known[place["split"], place["row"]] == (place["run_id"], place["row_sha256"])
    decisions = Counter(StageDecision.objects.values_list("outcome", flat=True))
    assert decisions == Counter(row["outcome"] for row in read_lines(tmp_path / "decisions.jsonl"))


def test_the_manifest_has_the_checksum_of_every_file_and_conserved_counts(tmp_path: Path) -> None:
    ingest_sample()

    result = export(tmp_path, eval_sets=(holdout(),))

    manifest = json.loads((tmp_path / "manifest.json").read_bytes())
    hashed = manifest["hashed"]
    names = {path.name for path in tmp_path.iterdir()} - {"manifest.json"}
    assert {file["name"] for file in hashed["files"]} == names
    for file in hashed["files"]:
        data = (tmp_path / file["name"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (file["sha256"], file["bytes"])
        assert stored(result.export_id, file["name"]) == data
    stages = hashed["stages"]
    assert stages[0]["runs_in"] == hashed["input"]["runs"] == 296
    assert all(was["runs_out"] == then["runs_in"] for was, then in pairwise(stages))
    assert all(stage["runs_in"] - stage["runs_out"] == sum(stage["outcomes"].values()) for stage in stages)
    assert stages[-1]["runs_out"] == hashed["outcomes"]["exported"] == 151
    assert (len(hashed["input"]["files"]), sum(file["lines"] for file in hashed["input"]["files"])) == (7, 354)
    assert hashed["firewall"]["sft_never"] == SUMMARY["sft_never"]
    assert hashed["firewall"]["rows"] == 151
    assert hashed["redactions"] == {"email": 2}
    assert hashed["eval_sets"][0]["name"] == "holdout"
    assert the_export().manifest == manifest


def test_planted_canaries_are_in_no_file_and_no_count(tmp_path: Path) -> None:
    ingest_sample()

    result = export(tmp_path, eval_sets=(holdout(),))

    canary = canary_text(result.export_id).encode()
    assert all(canary not in path.read_bytes() for path in tmp_path.iterdir())
    assert the_export().manifest["hashed"]["firewall"]["canaries_planted"] == 2  # type: ignore[index]


def test_preference_pairs_of_the_sample(tmp_path: Path) -> None:
    ingest_sample()

    result = export(tmp_path, kind="preference", eval_sets=(holdout(),))

    roles: dict[tuple[str, int], dict[str, str]] = {}
    for place in read_lines(tmp_path / "provenance.jsonl"):
        roles.setdefault((place["split"], place["row"]), {})[place["role"]] = place["run_id"]
    found = Counter((pair["chosen"], pair["rejected"], split) for (split, _), pair in roles.items())
    expected = Counter((pair["chosen"], pair["rejected"], pair["split"]) for pair in SUMMARY["preference_pairs"])
    assert found == expected
    assert result.rows == len(SUMMARY["preference_pairs"])
    assert (tmp_path / "test.jsonl").read_bytes() == b""


def test_kto_counts_of_the_sample(tmp_path: Path) -> None:
    ingest_sample()

    export(tmp_path, kind="kto", eval_sets=(holdout(),))

    splits = ("train", "validation", "test")
    rows = [row for split in splits for row in read_lines(tmp_path / f"{split}.jsonl")]
    assert Counter(row["label"] for row in rows) == {True: SUMMARY["kto"]["true"], False: SUMMARY["kto"]["false"]}


def test_the_next_export_shows_the_audit_table_against_this_one() -> None:
    ingest_sample()
    first = export(eval_sets=(holdout(),))

    second = export(include_partial=True, eval_sets=(holdout(),))

    assert first.audit is None
    assert second.audit is not None
    assert second.audit["baseline"] == first.export_id
    rows = {row["metric"]: row for row in second.audit["rows"]}
    assert (rows["rows"]["baseline"], rows["rows"]["current"]) == (151, second.rows)
    assert second.rows > 151
    assert Export.objects.get(export_id=second.export_id).baseline.export_id == first.export_id  # type: ignore[union-attr]


def test_an_export_of_another_kind_is_no_baseline() -> None:
    ingest_sample()
    export(eval_sets=(holdout(),))

    assert export(kind="kto", eval_sets=(holdout(),)).audit is None
