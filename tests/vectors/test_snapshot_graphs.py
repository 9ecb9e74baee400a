from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import OperationalError
from pytest_django.fixtures import Settings

from lakehouse_site.errors import DamagedFile, DatabaseUnavailable, StorageFailed
from tests.factories import add_rows, find, found_keys, make_index, random_rows
from vectors import indexes, maintenance, metrics, objects, snapshot_graphs, snapshot_records
from vectors.models import IndexHead, Snapshot
from vectors.replicas import replicas
from vectors.rows import IndexState
from vectors.snapshot_graphs import with_newest_graph
from vectors.snapshot_records import Status

pytestmark = pytest.mark.usefixtures("vectors_db", "small_graphs")

DATA = random_rows(60, 8)


@pytest.fixture
def state(storage: FileSystemStorage) -> IndexState:
    """An index with a snapshot that has a graph; nothing of it is in memory."""
    make_index(dimension=8)
    add_rows("docs", DATA)
    publish()
    replicas.stop()
    return indexes.index_state(name="docs")


def publish() -> Snapshot:
    maintenance.snapshot_index(name="docs")
    return Snapshot.objects.filter(status=Status.VERIFIED).latest("pk")


def size_of_newest(state: IndexState) -> int | None:
    return with_newest_graph(state, lambda path: path.stat().st_size)


def path_of(storage: FileSystemStorage, snapshot: Snapshot) -> Path:
    return Path(storage.path(snapshot.object_name))


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def scratch_files() -> list[str]:
    return [path.name for path in objects.scratch_dir().iterdir() if path.suffix == ".hnsw"]


def loads(source: str) -> float:
    return metrics.GRAPH_LOADS.labels(source)._value.get()


def assert_answers_are_right() -> None:
    """By a graph or by rows: everything is found."""
    assert [found_keys("docs", row, k=1) for row in DATA[::7]] == [[f"i{i:06d}"] for i in range(0, 60, 7)]
    assert len(found_keys("docs", DATA[0], k=100)) == 60


def test_the_graph_of_the_newest_snapshot_is_given_and_removed_afterwards(state: IndexState) -> None:
    (snapshot,) = Snapshot.objects.all()

    assert size_of_newest(state) == snapshot.graph_bytes > 0
    assert scratch_files() == []


def test_an_index_is_loaded_from_it(state: IndexState) -> None:
    before = loads("snapshot")

    assert not find("docs", DATA[0]).is_exact
    assert_answers_are_right()
    assert loads("snapshot") == before + 1


@pytest.mark.parametrize("position", [0, 5, 9, 4_000, 4_096, 5_000, -1], ids=str)
def test_a_damaged_snapshot_is_marked_and_the_one_before_is_used(
    state: IndexState, storage: FileSystemStorage, position: int, caplog: pytest.LogCaptureFixture
) -> None:
    newest = publish()
    replicas.stop()
    flip(path_of(storage, newest), position)
    before = loads("snapshot")

    assert_answers_are_right()

    newest.refresh_from_db()
    assert newest.status == Status.DAMAGED
    assert "snapshot damaged, not used" in caplog.text
    assert loads("snapshot") == before + 1
    assert indexes.index_info(name="docs").snapshot.error  # type: ignore[union-attr]


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "longer", "something else", "of another index"])
def test_without_any_good_snapshot_rows_are_enough(state: IndexState, storage: FileSystemStorage, damage: str) -> None:
    (snapshot,) = Snapshot.objects.all()
    path = path_of(storage, snapshot)
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "of another index":
        make_index("other", dimension=8)
        add_rows("other", random_rows(60, 8, seed=1))
        maintenance.snapshot_index(name="other")
        path.write_bytes(path_of(storage, Snapshot.objects.latest("pk")).read_bytes())
    else:
        new = {"empty": b"", "cut": data[:-50], "longer": data + b".", "something else": b"<html>"}
        path.write_bytes(new[damage])
    before = loads("rows")

    assert_answers_are_right()

    snapshot.refresh_from_db()
    assert snapshot.status == Status.DAMAGED
    assert loads("rows") == before + 1


def test_what_is_outside_of_the_graph_may_be_damaged(state: IndexState, storage: FileSystemStorage) -> None:
    (snapshot,) = Snapshot.objects.all()
    flip(path_of(storage, snapshot), 4_096 + snapshot.graph_bytes + 100)

    assert size_of_newest(state) == snapshot.graph_bytes


def test_a_graph_that_is_whole_and_of_no_use_leaves_no_empty_index(
    state: IndexState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise DamagedFile("it is one of another dimension")

    monkeypatch.setattr("vectors.hnsw.read_saved", refuse)

    assert_answers_are_right()

    assert Snapshot.objects.get().status == Status.DAMAGED


def test_a_storage_that_fails_is_left_alone_for_a_while(
    state: IndexState, storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def fail(name: str, *_: object) -> None:
        calls.append(name)
        raise ConnectionError("no route to host")

    with monkeypatch.context() as during:
        during.setattr(storage, "open", fail)
        for _ in range(3):
            replicas.stop()
            assert_answers_are_right()

    snapshot = Snapshot.objects.get()
    assert (len(calls), snapshot.status) == (1, Status.VERIFIED)
    assert "no route to host" in snapshot.error

    monkeypatch.setattr(snapshot_graphs, "_trouble_until", 0.0)
    assert size_of_newest(state)
    assert Snapshot.objects.get().error == ""


def test_a_storage_that_hangs_is_not_waited_for(
    state: IndexState, storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    opened: list[str] = []
    real_open = storage.open

    def hang(name: str, *arguments: Any) -> Any:
        opened.append(name)
        assert answer.wait(30)
        return real_open(name, *arguments)

    monkeypatch.setattr(storage, "open", hang)
    monkeypatch.setattr(snapshot_graphs, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(snapshot_graphs, "TROUBLE_SECONDS", 0.0)
    for _ in range(3):
        replicas.stop()
        assert_answers_are_right()
    straggler = snapshot_graphs._straggler
    assert straggler is not None
    assert len(opened) == 1, "one thread waits for a storage that hangs, not one for every load"

    answer.set()
    straggler.join(30)

    assert scratch_files() == []
    assert size_of_newest(state)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), StorageFailed("scratch")])
def test_a_full_disk_here_is_no_damage_there(
    state: IndexState, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(snapshot_graphs, "copy_graph", full)

    assert_answers_are_right()

    assert Snapshot.objects.get().status == Status.VERIFIED


def test_a_data_directory_that_is_gone_costs_no_answer(state: IndexState, settings: Settings, tmp_path: Path) -> None:
    settings.LAKEHOUSE_DATA_DIR = tmp_path / "gone"

    assert_answers_are_right()


@pytest.mark.parametrize("error", [OperationalError("database is locked"), DatabaseUnavailable("busy")])
def test_a_finding_that_cannot_be_recorded_costs_no_answer(
    state: IndexState,
    storage: FileSystemStorage,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    path_of(storage, Snapshot.objects.get()).unlink()

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(snapshot_records, "run_write", fail)

    assert_answers_are_right()

    assert "could not be recorded" in caplog.text


def test_the_graph_of_an_older_generation_is_passed_over(state: IndexState) -> None:
    IndexHead.objects.update(generation=1)

    assert size_of_newest(indexes.index_state(name="docs")) is None

    maintenance.rebuild_index(name="docs")
    IndexHead.objects.update(generation=1)
    assert size_of_newest(indexes.index_state(name="docs"))


def test_a_snapshot_without_a_graph_is_not_read(storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    make_index(dimension=8)
    add_rows("docs", DATA[:10])
    publish()
    monkeypatch.setattr(storage, "open", lambda *_: pytest.fail("it was opened"))

    assert size_of_newest(indexes.index_state(name="docs")) is None
