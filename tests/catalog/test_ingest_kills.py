"""Ingest killed at every step: afterwards the rows are there once or not at all, and the next call puts it right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.distillation.test_ingest_processes import Place

pytestmark = pytest.mark.slow

# Before (with a dash) or after a call, and whether the rows are there by then.
POINTS = (
    ("-catalog.ingest_targets.data_file", False),  # the files lie in the warehouse
    ("-catalog.appends.commit_tables", False),  # the manifests too
    ("-catalog.relation_writes._write_rows", False),  # the metadata file too
    ("catalog.relation_writes._write_rows", True),  # after the commit, before anybody is told
)


@pytest.fixture
def place(migrated_template: tuple[Path, str | None], tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(migrated_template, tmp_path / "data", stack)


def test_a_killed_ingest_is_there_once_or_not_at_all(place: Place, tmp_path: Path) -> None:
    expected = 0
    for number, (point, is_there) in enumerate(POINTS):
        file = tmp_path / f"{number}.csv"
        file.write_text(f"n\n{number}\n{number}\n")
        mode = "append" if expected else "create"
        command = ("lake_ingest", str(file), "ns.t", "--mode", mode, "--json")

        assert place.run(*command, count=1, point=point).returncode == -9
        again = place.run(*command)

        assert again.returncode == 0, again.stderr
        assert json.loads(again.stdout)["deduplicated"] is is_there
        expected += 2
    answer = place.run("lake_query", "SELECT count(*), count(DISTINCT n) FROM ns.t", "--json")
    assert json.loads(answer.stdout)["rows"] == [[expected, len(POINTS)]]


def test_two_processes_with_the_same_file_take_it_once(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("n\n1\n")
    command = ("lake_ingest", str(file), "ns.t", "--json")

    running = [place.start(*command) for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in running]

    assert [process.returncode for process in running] == [0, 0], answers
    assert sorted(json.loads(output)["deduplicated"] for output, _ in answers) == [False, True]
    assert json.loads(place.run("lake_query", "SELECT count(*) FROM ns.t", "--json").stdout)["rows"] == [[1]]
