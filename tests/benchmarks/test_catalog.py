"""The benchmark of the catalog: real manifests, commits that are tried again, and a section of figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.catalog import commits, rows, run, tables
from benchmarks.catalog.client import commit_for
from benchmarks.catalog.data import STANDING, write_csv, write_manifest_lists
from benchmarks.catalog.report import section
from benchmarks.catalog.serving import Bench, peak_memory
from benchmarks.catalog.tables import Committer
from benchmarks.figures import Results, Table
from benchmarks.http_call import HttpError
from catalog.manifests import data_file_paths, read_manifest_list
from catalog.table_metadata import new_table_metadata
from catalog.table_updates import apply_updates
from tests.processes import Server


class StandIn:
    """Answers as the catalog does, and refuses the commits whose numbers it is told."""

    def __init__(self, refused: set[int]) -> None:
        self.refused = refused
        self.sent: list[dict[str, object]] = []
        self.metadata = new_table_metadata(
            {"name": "t", "schema": tables.SCHEMA},
            table_uuid="4a3e9a4c-6a9f-4a3c-8f3d-2d7f4b1f0c55", location="file:///w/t", now_ms=1,
        )  # fmt: skip

    def call(self, method: str, path: str) -> dict[str, object]:
        return {"metadata": self.metadata}

    def ask(self, request: bytes) -> bytes:
        body = json.loads(request.partition(b"\r\n\r\n")[2])
        self.sent.append(body)
        if len(self.sent) in self.refused:
            raise HttpError(409, b"")
        self.metadata = apply_updates(self.metadata, body["updates"], now_ms=2)
        return b"{}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn({2, 3})
    monkeypatch.setattr(tables, "Connection", lambda port: made)
    return made


def test_what_is_committed_is_a_history_that_the_catalog_takes(server: StandIn) -> None:
    committer = Committer(1, "t", ["file:///w/a.avro", "file:///w/b.avro"])

    took = commit_for(committer, "add-snapshot", 60, 3)

    snapshots = server.metadata["snapshots"]
    assert (len(took), committer.conflicts, len(server.sent)) == (3, 2, 5)
    assert [one["sequence-number"] for one in snapshots] == [1, 2, 3]
    assert [one.get("parent-snapshot-id") for one in snapshots[1:]] == [one["snapshot-id"] for one in snapshots[:-1]]
    assert server.metadata["refs"]["main"]["snapshot-id"] == snapshots[-1]["snapshot-id"]


def test_every_commit_of_a_property_changes_the_table(server: StandIn) -> None:
    commit_for(Committer(1, "t", ["unused"]), "set-properties", 60, 4)

    seen = {body["updates"][0]["updates"]["step"] for body in server.sent}  # type: ignore[index]
    assert len(seen) == len(server.sent) == 6


def test_another_failure_than_a_conflict_ends_the_client(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    committer = Committer(1, "t", ["unused"])
    monkeypatch.setattr(server, "ask", lambda request: (_ for _ in ()).throw(HttpError(500, b"no")))

    with pytest.raises(HttpError, match="500"):
        commit_for(committer, "set-properties", 60, 1)


def test_each_manifest_list_has_one_manifest_of_its_own(tmp_path: Path) -> None:
    lists = write_manifest_lists(tmp_path, 2)

    first, second = (
        {entry.path for entry in read_manifest_list(Path(one.removeprefix("file://")).read_bytes())} for one in lists
    )
    assert len(first) == len(second) == STANDING + 1
    (own,) = first - second
    (file,) = data_file_paths(Path(own.removeprefix("file://")).read_bytes())
    assert file.startswith(f"file://{tmp_path}/")


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_csv(tmp_path / name, 1_000)

    text = (tmp_path / "a").read_text()
    assert text == (tmp_path / "b").read_text()
    assert text.splitlines()[0] == '"id","ordered_at","customer","region","amount","quantity"'
    assert len(text.splitlines()) == 1_001


def test_the_section_has_every_figure_and_fact() -> None:
    results = Results(facts={"machine": "two cores"}, notes=["Postgres: skipped, there is none."])
    table = results.table(Table("commits", "commits a second", "commits/s"))
    for value in (90.0, 110.0, 100.0):
        table.add("SQLite", "1 client", value)

    text = section(results)

    assert text.startswith("## Catalog\n")
    assert "| SQLite | 100 (90.0 to 110)   |" in text
    assert "two cores" in text
    assert "* Postgres: skipped" in text


def test_memory_is_told_apart_by_process() -> None:
    code = "import sys; held = bytearray(60_000_000); print('ready', flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", code, "as-the-worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        child.stdout.readline()
        with peak_memory(os.getpid(), worker="as-the-worker", nobody="no-such-word") as found:
            pass
    finally:
        child.communicate("")
    assert 60 < found.peaks["worker"] < 200
    assert found.peaks["nobody"] == 0


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--databases", "Oracle"], ["--only", "nothing"]])
def test_arguments_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.parse(arguments)


def test_options_change_the_plan() -> None:
    assert run.plan_of(run.parse([])) == run.Plan()
    assert run.plan_of(run.parse(["--quick", "--rounds", "2"])).rounds == 2


@pytest.mark.slow
def test_each_part_measures_a_real_server(shared_server: Server, tmp_path: Path) -> None:
    tables.make_namespace(shared_server.port)
    lists = write_manifest_lists(shared_server.data_dir / "objects" / "warehouse" / "prepared", 4)
    process = shared_server.process
    assert process is not None
    bench = Bench("SQLite", shared_server.port, process.pid, shared_server.environment, tmp_path, lists)
    results = Results()

    commits.growing(bench, results, (3,), 2)
    commits.loading(bench, results, (2,), 3)
    load = commits.load(bench, "add-snapshot", 2, 0.2, is_shared=True)
    write_csv(tmp_path / "orders.csv", 500)
    rows.warm_up(bench)
    seconds, wall, peak_mb = rows.plain_copy(tmp_path / "orders.csv", tmp_path)

    assert results.tables["growth"].cells["SQLite, add-snapshot"]["3"].median > 0
    assert set(results.tables["load-p99"].cells) == {
        "SQLite, all snapshots", "SQLite, snapshots=refs", "SQLite, unchanged (304)",
    }  # fmt: skip
    assert load.per_second > 0
    assert 0 < seconds < wall
    assert peak_mb > 10
