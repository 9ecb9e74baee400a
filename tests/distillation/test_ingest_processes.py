"""Ingestion by commands in processes of their own: killed at every step, and two at once."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.distillation.run_lines import line, write_file
from tests.environment import postgres_url
from tests.postgres import create_database, drop_database
from tests.processes import COMMAND_TIMEOUT_SECONDS, ROOT, copy_data, environment_for

pytestmark = pytest.mark.slow

# Each process takes up what the one before it left.
POINTS = (
    (1, "-distillation.ingestion.store_chunk"),  # the file is known, nothing of it is stored
    (2, "distillation.chunks._insert"),  # in the middle of a transaction
    (1, "distillation.chunks.dispute"),
    (3, "distillation.ingestion.run_write"),  # after a commit
    (1, "-distillation.ingestion._finish"),
)


class Place:
    """A migrated database, worked on by commands."""

    def __init__(self, template: tuple[Path, str | None], folder: Path, stack: ExitStack) -> None:
        copy_data(template[0], folder)
        url, admin_url = None, postgres_url()
        if admin_url is not None and template[1] is not None:
            name = f"ingest_{secrets.token_hex(6)}"
            url = create_database(admin_url, name, template=template[1].rsplit("/", 1)[1])
            stack.callback(drop_database, admin_url, name)
        self.environment = environment_for(folder, url)

    def start(self, *command: str, count: int = 0, point: str = "none") -> subprocess.Popen[str]:
        arguments = [sys.executable, "-m", "tests.distillation.ingest_fault_point", str(count), point, *command]
        pipe = subprocess.PIPE
        return subprocess.Popen(arguments, cwd=ROOT, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, *command: str, count: int = 0, point: str = "none") -> subprocess.CompletedProcess[str]:
        process = self.start(*command, count=count, point=point)
        output, errors = process.communicate(timeout=COMMAND_TIMEOUT_SECONDS)
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def dump(self) -> str:
        done = self.run("dump")
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def places(migrated_template: tuple[Path, str | None], tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    with ExitStack() as stack:
        yield (
            Place(migrated_template, tmp_path / "one", stack),
            Place(migrated_template, tmp_path / "two", stack),
        )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two files with faults, repetitions, contradictions and an unfinished line."""
    folder = tmp_path / "data"
    first = [line(f"run-{i}", score=i % 2) for i in range(70)]
    first[15:15] = [b"{", b"", line("run-3", score=1), line("run-4", score=1)]
    second = [line(f"run-{i}", score=i % 3 % 2) for i in range(40, 110)]
    write_file(folder, first, "1.jsonl")
    write_file(folder, b"\n".join([*second, b'{"run_id": "unfini']), "2.jsonl")
    return folder


def test_killed_anywhere_and_run_again_it_ends_in_the_same_state(places: tuple[Place, Place], root: Path) -> None:
    undisturbed, killed = places
    assert undisturbed.run("ingest_scored_runs", str(root)).returncode == 0

    for count, point in POINTS:
        done = killed.run("ingest_scored_runs", str(root), count=count, point=point)
        assert done.returncode == -signal.SIGKILL, (point, done.stderr)
    killed.dump()  # what is there adds up
    done = killed.run("ingest_scored_runs", str(root))

    assert done.returncode == 0, done.stderr
    assert killed.dump() == undisturbed.dump()


def test_two_processes_on_the_same_files_do_the_work_of_one(places: tuple[Place, Place], root: Path) -> None:
    alone, together = places
    assert alone.run("ingest_scored_runs", str(root)).returncode == 0

    processes = [together.start("ingest_scored_runs", str(root)) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=COMMAND_TIMEOUT_SECONDS)
        assert process.returncode == 0, errors

    assert together.dump() == alone.dump()


def test_two_processes_on_files_with_the_same_runs_store_each_run_once(
    places: tuple[Place, Place], tmp_path: Path
) -> None:
    place, _ = places
    roots = [tmp_path / "left", tmp_path / "right"]
    for i, folder in enumerate(roots):
        ids = range(150) if i else range(149, -1, -1)
        write_file(folder, [line(f"run-{n}", score=i if n % 50 == 0 else 0) for n in ids])

    processes = [place.start("ingest_scored_runs", str(folder)) for folder in roots]
    for process in processes:
        _, errors = process.communicate(timeout=COMMAND_TIMEOUT_SECONDS)
        assert process.returncode == 0, errors

    rows = eval(place.dump())  # noqa: S307  what `repr` of our own lists has written
    runs = [row for row in rows if len(row) == 6]
    assert len(runs) == 150
    assert sorted(row[0] for row in runs if row[3]) == ["run-0", "run-100", "run-50"]
