"""The library `datasets` finds the splits and columns of every format by the card alone, without a network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from distillation.format_checks import COLUMNS
from distillation.formats import FORMATS_OF_KIND
from tests.distillation.exporting import a_run, export, holdout, ingest, ingest_sample, read_lines
from tests.processes import environment_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

WANTED = [
    (kind, name, file_type)
    for kind, names in FORMATS_OF_KIND.items()
    for name in names
    for file_type in ("jsonl", "parquet")
]
# One process for all of them, since the library takes seconds to import.
LOAD = """
import json, sys
import datasets
datasets.disable_progress_bars()
found = {}
for folder in sys.argv[1:]:
    loaded = datasets.load_dataset(folder)
    info = datasets.DatasetInfo.from_directory(folder)
    found[folder] = {
        "rows": {split: rows.num_rows for split, rows in loaded.items()},
        "columns": next(iter(loaded.values())).column_names,
        "first": next(iter(loaded.values()))[0],
        "same_features": all(rows.features == info.features for rows in loaded.values()),
        "counted": {split: found.num_examples for split, found in info.splits.items()},
    }
print(json.dumps(found))
"""


def load(folders: list[Path], tmp_path: Path) -> dict[str, Any]:
    """Load folders in a process of its own, offline and with a cache of its own."""
    homes = {"HF_HOME": str(tmp_path / "hf"), "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    environment = environment_for(tmp_path, None, {**homes, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"})
    command = [sys.executable, "-c", LOAD, *map(str, folders)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_format_is_loaded_with_its_splits_and_columns(tmp_path: Path) -> None:
    ingest_sample()
    # So that the system column is there too.
    ingest(a_run("chat", system="Be kind."))
    folders = {tmp_path / "-".join(wanted): wanted for wanted in WANTED}
    results = {
        folder: export(folder, kind=kind, format_name=name, file_type=file_type, eval_sets=(holdout(),))
        for folder, (kind, name, file_type) in folders.items()
    }

    found = load(list(folders), tmp_path)

    for folder, (_, name, file_type) in folders.items():
        loaded = found[str(folder)]
        rows = {split: count for split, count in results[folder].splits.items() if count}
        assert loaded["rows"] == loaded["counted"] == rows, folder
        assert loaded["columns"] == [*COLUMNS[name], *(["system"] if name in ("alpaca", "sharegpt") else [])], folder
        assert loaded["same_features"], folder
        if file_type == "jsonl":
            assert loaded["first"] == read_lines(folder / "train.jsonl")[0]


def test_splits_without_rows_do_not_stop_the_loader(tmp_path: Path) -> None:
    ingest(a_run("one"), a_run("two"))
    folders = [tmp_path / "jsonl", tmp_path / "parquet"]
    for folder in folders:
        export(folder, file_type=folder.name, split="100/0/0")
        assert (folder / f"test.{folder.name}").exists()

    found = load(folders, tmp_path)

    assert [found[str(folder)]["rows"] for folder in folders] == [{"train": 2}, {"train": 2}]
