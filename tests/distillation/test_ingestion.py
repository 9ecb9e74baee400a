from __future__ import annotations

import gzip
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distillation import ingestion
from distillation.ingestion import ingest_scored_runs
from distillation.models import QuarantinedLine, ScoredRun, ScoredRunFile
from distillation.reports import write_report
from lakehouse_site.errors import InvalidInput
from tests.distillation.run_lines import (
    SAMPLE,
    SAMPLE_MAX_LINE_BYTES,
    assert_conserved,
    expected_rows,
    line,
    stored,
    write_file,
)

pytestmark = pytest.mark.usefixtures("distillation_db")
COLUMNS = ("file", "line", "ingest", "code", "run_id")


def reported(tmp_path: Path, root: Path, results: Any, max_line_bytes: int) -> list[dict[str, Any]]:
    path = tmp_path / "report.jsonl"
    write_report(path=path, root=root, results=results.files, max_line_bytes=max_line_bytes)
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".tmp")] == []
    return [json.loads(row) for row in path.read_text().splitlines()]


@pytest.mark.parametrize("root", [SAMPLE / "data", SAMPLE], ids=["root", "folder of the root"])
def test_every_line_of_the_sample_meets_its_fate(tmp_path: Path, root: Path) -> None:
    expected = [{name: row[name] for name in COLUMNS} for row in expected_rows()]

    first = ingest_scored_runs(root=root, max_line_bytes=SAMPLE_MAX_LINE_BYTES)
    rows = reported(tmp_path, root, first, SAMPLE_MAX_LINE_BYTES)
    once = stored()
    again = ingest_scored_runs(root=root, max_line_bytes=SAMPLE_MAX_LINE_BYTES)

    assert rows == expected
    assert reported(tmp_path, root, again, SAMPLE_MAX_LINE_BYTES) == expected
    assert all(file.is_skipped for file in again.files)
    assert stored() == once
    assert_conserved()


def test_the_sample_has_the_counts_of_its_summary() -> None:
    summary = json.loads((SAMPLE / "expected_summary.json").read_text())
    codes = {code: number for code, number in summary["quarantine_codes"].items() if code != "-"}

    dry = ingest_scored_runs(root=SAMPLE, max_line_bytes=SAMPLE_MAX_LINE_BYTES, is_dry_run=True)
    assert not ScoredRunFile.objects.exists()
    done = ingest_scored_runs(root=SAMPLE, max_line_bytes=SAMPLE_MAX_LINE_BYTES)

    assert done.totals == {"lines": summary["lines"], **summary["ingest"]}
    assert done.quarantine_codes == codes
    assert (dry.totals, dry.quarantine_codes) == (done.totals, codes)
    assert ScoredRun.objects.filter(is_disputed=True).count() == 3


def test_a_file_that_has_grown_is_read_again_and_gives_every_line_once(tmp_path: Path) -> None:
    whole = b"".join(each + b"\n" for each in (line("a"), b"nonsense", line("b"), line("a", response="Other")))
    write_file(tmp_path, whole[:-20])
    ingest_scored_runs(root=tmp_path)
    assert set(ScoredRun.objects.values_list("run_id", "is_disputed")) == {("a", False), ("b", False)}

    write_file(tmp_path, whole)
    (result,) = ingest_scored_runs(root=tmp_path).files

    assert (result.duplicate_identical, result.quarantined, result.ingested, result.incomplete_tail) == (2, 2, 0, 0)
    assert set(ScoredRun.objects.values_list("run_id", "is_disputed")) == {("a", True), ("b", False)}
    # The fault is one task for a person, not two.
    statuses = QuarantinedLine.objects.filter(code="invalid_json").order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["superseded", "open"]
    assert_conserved()


def test_the_same_id_in_one_chunk_across_chunks_and_across_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion, "CHUNK_LINES", 3)
    write_file(
        tmp_path, [line("a"), line("a"), line("a", score=0.5), line("b"), line("c"), line("a"), line("b", score=1)]
    )
    write_file(tmp_path, [line("c"), line("c", score=0), line("d")], "second.jsonl")

    first, second = ingest_scored_runs(root=tmp_path).files

    assert (first.ingested, first.duplicate_identical, first.quarantined) == (3, 2, 2)
    assert (second.ingested, second.duplicate_identical, second.quarantined) == (1, 1, 1)
    assert set(ScoredRun.objects.values_list("run_id", "is_disputed", "score")) == {
        ("a", True, None), ("b", True, None), ("c", True, None), ("d", False, None),
    }  # fmt: skip
    assert_conserved()


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_compressed_files_are_read_member_by_member(tmp_path: Path, suffix: str) -> None:
    pack = gzip.compress if suffix == "gz" else zstandard.ZstdCompressor().compress
    packed = pack(b"\xef\xbb\xbf" + line("a") + b"\r\n" + line("b")[:20]) + pack(line("b")[20:] + b"\n")
    write_file(tmp_path, packed, f"runs.jsonl.{suffix}")

    (result,) = ingest_scored_runs(root=tmp_path).files

    assert (result.ingested, result.lines, result.error) == (2, 2, "")


@pytest.mark.parametrize("suffix", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "garbage after", "not compressed"])
def test_of_a_damaged_file_no_line_is_stored(tmp_path: Path, suffix: str, damage: str) -> None:
    lines = [line(f"run-{i}", prompt=f"{i * 7919} {'x' * (i % 90)}") + b"\n" for i in range(2_000)]
    if suffix == "gz":
        packed = gzip.compress(b"".join(lines))
    else:
        packed = zstandard.ZstdCompressor(write_checksum=True).compress(b"".join(lines))
    damaged = {
        "cut": packed[:-9],
        "flipped": packed[:-30] + bytes([packed[-30] ^ 255]) + packed[-29:],
        "garbage after": packed + b"garbage",
        "not compressed": lines[0],
    }[damage]
    write_file(tmp_path, damaged, f"runs.jsonl.{suffix}")
    write_file(tmp_path, [line("other")], "z.jsonl")

    broken, sound = ingest_scored_runs(root=tmp_path).files

    assert broken.error.startswith("line ")
    assert f"{'gzip' if suffix == 'gz' else 'zstd'} stream" in broken.error
    assert (broken.lines, broken.ingested) == (0, 0)
    assert (sound.ingested, sound.error) == (1, "")
    assert list(ScoredRun.objects.values_list("run_id", flat=True)) == ["other"]
    write_file(tmp_path, packed, f"runs.jsonl.{suffix}")
    whole, _ = ingest_scored_runs(root=tmp_path).files
    assert (whole.ingested, whole.error) == (2_000, "")


def test_reading_goes_on_where_it_was_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion, "CHUNK_LINES", 2)
    lines = [line("a"), b"", line("b"), b"{", line("a"), line("c"), line("d")]
    write_file(tmp_path, b"\xef\xbb\xbf" + b"\r\n".join(lines))

    class Stopped(Exception):
        pass

    def stop(count: int) -> None:
        raise Stopped

    for _ in range(4):
        with pytest.raises(Stopped):
            ingest_scored_runs(root=tmp_path, progress=stop)
    (result,) = ingest_scored_runs(root=tmp_path).files

    counts = {name: value for name, value in asdict(result).items() if isinstance(value, int)}
    assert counts == {
        "lines": 7, "blank": 1, "incomplete_tail": 0, "duplicate_identical": 1, "quarantined": 1, "ingested": 4,
        "is_skipped": False,
    }  # fmt: skip
    assert_conserved()


def test_a_file_whose_name_no_database_keeps_is_told(tmp_path: Path) -> None:
    write_file(tmp_path, [line("a")], os.fsdecode(b"\xff.jsonl"))
    write_file(tmp_path, [line("b")])

    sound, odd = ingest_scored_runs(root=tmp_path).files

    assert (sound.ingested, sound.error) == (1, "")
    assert odd.path.endswith("\\udcff.jsonl")
    assert "not UTF-8" in odd.error


def test_a_limit_below_one_byte_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="at least 1 byte"):
        ingest_scored_runs(root=tmp_path, max_line_bytes=0)


LINE = st.one_of(
    st.builds(line, st.sampled_from("abc"), score=st.sampled_from([0, 1])),
    st.sampled_from([b"", b" ", b"{", b'{"a":1,"a":2}', b"x" * 300, b"\xff"]),
    st.binary(max_size=12).filter(lambda raw: b"\n" not in raw),
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINE, max_size=12), st.lists(LINE, max_size=6), st.booleans(), st.integers(1, 5))
def test_any_lines_are_conserved_and_reading_them_again_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: list[bytes], two: list[bytes], has_end: bool, size: int
) -> None:
    QuarantinedLine.objects.all().delete()
    ScoredRun.objects.all().delete()
    ScoredRunFile.objects.all().delete()
    monkeypatch.setattr(ingestion, "CHUNK_LINES", size)
    write_file(tmp_path, b"\n".join(one) + b"\n" * has_end)
    write_file(tmp_path, b"\n".join(two), "second.jsonl")

    done = ingest_scored_runs(root=tmp_path, max_line_bytes=290)
    once = stored()
    rows = reported(tmp_path, tmp_path, done, 290)
    ingest_scored_runs(root=tmp_path, max_line_bytes=290)

    assert stored() == once
    assert_conserved()
    assert len(rows) == done.totals["lines"]
    for name in ("blank", "duplicate_identical", "quarantined", "ingested", "incomplete_tail"):
        assert sum(row["ingest"] == name for row in rows) == done.totals[name]
