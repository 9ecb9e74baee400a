"""Exports by commands in processes of their own: twice, on two databases, two at once, and killed at every step."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.distillation.exporting import HOLDOUT, SAMPLE, a_run
from tests.environment import postgres_url
from tests.postgres import create_database, drop_database, run_postgres
from tests.processes import ROOT, copy_data, environment_for, run_manage, start_manage

pytestmark = pytest.mark.slow

# In the order an export passes them: each process dies later than the one before, and takes up what that one left.
POINTS_BEFORE_COMPLETE = (
    (1, "distillation.export_publish.write_files"),
    (5, "distillation.export_records.run_write"),  # in the middle of rows and decisions
    (3, "distillation.export_storage.save"),
    (1, "distillation.export_publish.verify"),
    (1, "-distillation.export_records.complete"),  # the manifest is in the storage
)
POINTS_AFTER_COMPLETE = (
    (1, "distillation.export_records.complete"),
    (3, "distillation.export_storage.file_hash"),  # of the copies
)


class Place:
    """A database with data of its own, worked on by commands: an empty one on Postgres, or migrated data of SQLite."""

    def __init__(self, folder: Path, *, database_url: str | None = None, migrated: Path | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.environment = environment_for(folder, database_url)
        if migrated is not None:
            copy_data(migrated, folder)
        else:
            run_manage("migrate", "--verbosity", "0", environment=self.environment)

    def manage(self, *arguments: str) -> Any:
        return json.loads(run_manage(*arguments, "--json", environment=self.environment).stdout)

    def ingest_sample(self) -> None:
        arguments = ("ingest_scored_runs", str(SAMPLE / "data"), "--max-line-bytes", "65536")
        # Ends with status 1 where lines went to quarantine, which is what the sample is for.
        run_manage(*arguments, environment=self.environment, check=False)


@pytest.fixture(scope="module")
def places(
    tmp_path_factory: pytest.TempPathFactory, migrated_template: tuple[Path, str | None]
) -> Iterator[dict[str, Place]]:
    """The sample on SQLite and on Postgres."""
    folder = tmp_path_factory.mktemp("places")
    with ExitStack() as stack:
        url = postgres_url() or stack.enter_context(run_postgres()).url("postgres")
        name = f"exports_{os.getpid()}"
        database_url = create_database(url, name)
        stack.callback(drop_database, url, name)
        found = {
            "sqlite": Place(folder / "sqlite", migrated=migrated_template[0]),
            "postgres": Place(folder / "postgres", database_url=database_url),
        }
        for place in found.values():
            place.ingest_sample()
        yield found


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the manifest, of which only one half is the same each time."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}


def hashed(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_bytes())["hashed"]


@pytest.mark.parametrize("file_type", ["jsonl", "parquet"])
def test_two_databases_give_the_same_export(places: dict[str, Place], tmp_path: Path, file_type: str) -> None:
    results = []
    for seed, (name, place) in enumerate(places.items()):
        place.environment["PYTHONHASHSEED"] = str(seed)
        wanted = ("--eval-set", str(HOLDOUT), "--file-type", file_type, "--out", str(tmp_path / name))
        results.append(place.manage("export_sft", *wanted))

    assert [result["export_id"] for result in results] == [results[0]["export_id"]] * 2
    assert [result["splits"] for result in results] == [{"train": 142, "validation": 7, "test": 2}] * 2
    first, second = tmp_path / "sqlite", tmp_path / "postgres"
    assert contents(first) == contents(second)
    assert hashed(first) == hashed(second)


def test_an_export_is_killed_at_every_step_and_ends_well(
    tmp_path: Path, migrated_template: tuple[Path, str | None]
) -> None:
    sqlite = Place(tmp_path / "sqlite", migrated=migrated_template[0])
    day = tmp_path / "root" / "scored-runs" / "2026" / "03" / "01"
    day.mkdir(parents=True)
    (day / "runs.jsonl").write_text("".join(json.dumps(a_run(f"run-{i}")) + "\n" for i in range(25)))
    run_manage("ingest_scored_runs", str(tmp_path / "root"), environment=sqlite.environment)
    copy_data(sqlite.folder, tmp_path / "whole")
    whole = environment_for(tmp_path / "whole", None)
    expected = json.loads(
        run_manage("export_sft", "--out", str(tmp_path / "expected"), "--json", environment=whole).stdout
    )
    out = tmp_path / "out"

    for count, point in POINTS_BEFORE_COMPLETE:
        assert killed(sqlite, count, point, out) == -signal.SIGKILL, point
        assert not out.exists(), point
    assert statuses(sqlite) == ["writing"]
    for count, point in POINTS_AFTER_COMPLETE:
        assert killed(sqlite, count, point, out) == -signal.SIGKILL, point
        assert not (out / "manifest.json").exists(), point
    again = sqlite.manage("export_sft", "--out", str(out))

    assert again == {**expected, "is_new": False}
    assert contents(out) == contents(tmp_path / "expected")
    assert hashed(out) == hashed(tmp_path / "expected")
    assert statuses(sqlite) == ["complete"]


def statuses(place: Place) -> list[str]:
    with closing(sqlite3.connect(place.folder / "lakehouse.sqlite3")) as database:
        return [status for (status,) in database.execute("SELECT status FROM distillation_export")]


def killed(place: Place, count: int, point: str, out: Path) -> int:
    """Run the export in a process that dies at a point; return its exit status."""
    module = "tests.distillation.export_fault_point"
    command = [sys.executable, "-m", module, str(count), point, "export_sft", "--out", str(out)]
    return subprocess.run(command, cwd=ROOT, env=place.environment, capture_output=True, check=False).returncode


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_two_processes_export_the_same_at_once(kind: str, places: dict[str, Place], tmp_path: Path) -> None:
    place = places[kind]
    wanted = ("export_sft", "--format", "sharegpt", "--out")

    processes = [
        start_manage(*wanted, str(tmp_path / name), environment=place.environment, log_path=tmp_path / f"{name}.log")
        for name in ("a", "b")
    ]

    assert [process.wait(120) for process in processes] == [0, 0], (tmp_path / "a.log").read_text()
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert (tmp_path / "a" / "manifest.json").read_bytes() == (tmp_path / "b" / "manifest.json").read_bytes()
