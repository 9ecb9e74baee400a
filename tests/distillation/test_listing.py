from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage

from distillation import listing
from distillation.listing import StorageFolder, is_run_file, list_scored_run_files
from distillation.loading import Ingest, load_scored_runs_from_file
from lakehouse_site.errors import InvalidInput, StorageFailed
from tests.distillation.run_lines import SAMPLE, line, write_file


def test_only_the_files_of_the_sample_are_listed_in_order() -> None:
    files = list_scored_run_files(SAMPLE / "data")

    assert [file.path for file in files] == [f"data/scored-runs/2026/03/0{day}/runs.jsonl" for day in range(1, 8)]
    assert [file.path for file in list_scored_run_files(SAMPLE)] == [file.path for file in files]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("scored-runs/2026/03/01/runs.jsonl", True),
        ("scored-runs/2026/03/01/runs.jsonl.gz", True),
        ("scored-runs/2026/03/01/runs.jsonl.zst", True),
        ("scored-runs/2024/02/29/a b.jsonl", True),
        ("scored-runs/2026/02/29/runs.jsonl", False),
        ("scored-runs/2026/13/01/runs.jsonl", False),
        ("scored-runs/0000/01/01/runs.jsonl", False),
        ("scored-runs/2026/3/1/runs.jsonl", False),
        ("scored-runs/2026/03/01/.runs.jsonl", False),
        ("scored-runs/2026/03/01/runs.jsonl.tmp", False),
        ("scored-runs/2026/03/01/deeper/runs.jsonl", False),
        ("scored-runs/stray.jsonl", False),
        ("scored-runs/２０２６/03/01/runs.jsonl", False),
    ],
)
def test_which_names_are_files_of_runs(name: str, is_one: bool) -> None:
    assert is_run_file(name) is is_one


def test_a_link_that_leaves_the_root_is_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    kept = write_file(root, [line()], "kept.jsonl")
    secret = write_file(outside, [line()], "secret.jsonl")
    (kept.parent / "inner.jsonl").symlink_to(kept)
    (kept.parent / "outer.jsonl").symlink_to(secret)
    (kept.parent / "dangling.jsonl").symlink_to(tmp_path / "nothing")
    (root / "scored-runs" / "2026" / "04").symlink_to(outside / "scored-runs" / "2026" / "03")

    assert [Path(file.name).name for file in list_scored_run_files(root)] == ["inner.jsonl", "kept.jsonl"]


def test_object_storage_is_listed_and_read_like_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = FileSystemStorage(location=tmp_path)
    monkeypatch.setattr(listing, "default_storage", storage)
    write_file(tmp_path / "team" / "data", [line("a"), line("b")])
    write_file(tmp_path / "team" / "data", [line()], ".hidden.jsonl")

    (file,) = list_scored_run_files("storage:team/data")

    assert file.path == "data/scored-runs/2026/03/01/runs.jsonl"
    assert [each.run.run_id for each in load_scored_runs_from_file(file) if each.run] == ["a", "b"]
    assert [each.name for each in list_scored_run_files(StorageFolder("team/data", storage))] == [file.name]
    with listing.open_location(file.location) as stream:
        assert stream.read(1) == b"{"


def test_a_root_without_runs_and_a_file_that_is_gone_are_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="has no folder scored-runs"):
        list_scored_run_files(tmp_path)
    with pytest.raises(StorageFailed), listing.open_location(str(tmp_path / "gone.jsonl")):
        pass
    (only,) = load_scored_runs_from_file(tmp_path / "gone.jsonl")
    assert (only.ingest, "could not be read" in only.reason) == (Ingest.UNREADABLE, True)
