from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import FileSystemStorage
from django.db import connection
from django.test import Client

from lakehouse_site.errors import StorageFailed
from tests.factories import add, add_rows, delete, found_keys, make_index, random_rows
from tests.lakehouse_site.shapes import assert_problem
from vectors import contents, indexes, maintenance, metrics, objects, snapshot_records, snapshots
from vectors.graph import SearchGraph
from vectors.hnsw_file import read_saved
from vectors.lhv1_reader import copy_graph, read_envelope, read_pages, verify
from vectors.models import Snapshot
from vectors.replicas import replicas
from vectors.snapshot_records import SnapshotInfo, Status

pytestmark = pytest.mark.usefixtures("vectors_db", "small_graphs", "storage")

DATA = random_rows(60, 8)


@pytest.fixture
def docs() -> list[str]:
    make_index(dimension=8)
    return add_rows("docs", DATA)


def take(name: str = "docs") -> SnapshotInfo:
    return snapshots.take_snapshot(state=indexes.index_state(name=name))


def stored_names() -> list[str]:
    return objects.list_objects("_vectors")


def full_disk(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_snapshot_holds_the_index_whole(docs: list[str], tmp_path: Path) -> None:
    add("docs", [{"id": docs[1], "vector": DATA[1].tolist(), "metadata": {"n": 1}}])
    delete("docs", docs[0])

    info = take()

    (name,) = stored_names()
    with objects.open_object(name) as file:
        envelope = read_envelope(file)
        verify(file, envelope)
        pages = list(read_pages(file, envelope))
        size = file.seek(0, 2)
    state = indexes.index_state(name="docs")
    assert (info.seq, info.bytes, info.error) == (62, size, None)
    assert envelope.description.uuid == state.id
    assert [key for page in pages for key in page.keys] == docs[1:]
    assert pages[0].metadata[0] == '{"n":1}'
    assert indexes.index_info(name="docs").snapshot == info


def test_the_graph_in_it_has_no_label_newer_than_its_sequence_number(
    docs: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    maintenance.snapshot_index(name="docs")
    graph = replicas.current(indexes.index_state(name="docs"))
    save = SearchGraph.save_graph

    def write_around(self: SearchGraph, path: Path) -> bool:
        add_rows("docs", random_rows(5, 8), prefix="before")
        replicas.current(indexes.index_state(name="docs"))
        while self.move_chunk(1):
            pass
        found = save(self, path)
        add_rows("docs", random_rows(5, 8), prefix="after")
        replicas.current(indexes.index_state(name="docs"))
        while self.move_chunk(1):
            pass
        return found

    monkeypatch.setattr(SearchGraph, "save_graph", write_around)
    info = snapshots.take_snapshot(state=indexes.index_state(name="docs"), graph=graph)

    newest = snapshot_records.verified(indexes.index_state(name="docs").id)[0]
    with objects.open_object(newest.object_name) as file, (tmp_path / "graph").open("wb") as target:
        envelope = read_envelope(file)
        copy_graph(file, envelope, target)
    labels = read_saved(tmp_path / "graph", 8, 16).labels
    assert info.seq == 70
    assert len(labels) == 65
    assert labels.max() <= 70


def test_writes_go_on_while_it_is_written(docs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[BaseException] = []

    def write_between(*arguments: Any) -> Any:
        for page in contents.pages(*arguments):
            thread = threading.Thread(target=write)
            thread.start()
            thread.join(30)
            yield page

    def write() -> None:
        try:
            add("docs", [{"id": "new", "vector": [1] * 8}])
        except BaseException as error:  # noqa: BLE001  a thread's error would be lost
            errors.append(error)
        finally:
            connection.close()

    monkeypatch.setattr(snapshots, "pages", write_between)

    info = take()

    assert errors == []
    assert info.seq == 60
    assert indexes.index_state(name="docs").last_seq == 61


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (snapshots, "write"),
        (SearchGraph, "save_graph"),
        (FileSystemStorage, "_save"),
        (FileSystemStorage, "_open"),
        (objects, "_sync_folder"),
    ],
)
def test_a_disk_that_is_full_is_a_failure_on_record_and_harms_nothing(
    docs: list[str], monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    take()
    before = indexes.index_info(name="docs").snapshot
    maintenance._finish(replicas.current(indexes.index_state(name="docs")), lambda moved: None)
    failed = metrics.SNAPSHOTS.labels("failed")._value.get()
    with monkeypatch.context() as during:
        during.setattr(owner, name, full_disk)
        with pytest.raises(StorageFailed, match="No space left"):
            take()

    info = indexes.index_info(name="docs").snapshot
    assert info is not None
    assert before is not None
    assert "No space left" in (info.error or "")
    assert (info.seq, info.created_at) == (before.seq, before.created_at)
    assert "snapshot failed" in caplog.text
    assert metrics.SNAPSHOTS.labels("failed")._value.get() == failed + 1
    assert list(objects.scratch_dir().iterdir()) == []
    assert found_keys("docs", DATA[5], k=1) == [docs[5]]

    take()
    assert indexes.index_info(name="docs").snapshot.error is None  # type: ignore[union-attr]


def test_what_is_read_back_otherwise_never_counts(
    docs: list[str], storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = storage.save

    def cut(name: str, content: Any) -> str:
        stored = save(name, content)
        path = Path(storage.path(stored))
        path.write_bytes(path.read_bytes()[:-1])
        return stored

    monkeypatch.setattr(storage, "save", cut)

    with pytest.raises(StorageFailed, match="read back"):
        take()

    assert snapshot_records.verified(indexes.index_state(name="docs").id) == []


def test_an_empty_index_and_one_of_outliers_have_snapshots_too() -> None:
    make_index("empty")
    make_index("outliers", dimension=8, distance="euclidean")
    add_rows("outliers", (DATA * 1e20).astype(np.float32))

    assert take("empty").seq == 0
    assert take("outliers").seq == 60
    replicas.stop()
    assert found_keys("empty", [1, 0, 0]) == []
    assert found_keys("outliers", DATA[3] * 1e20, k=1) == ["i000003"]


def test_snapshots_at_once_all_count(docs: list[str]) -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            take()
        except BaseException as error:  # noqa: BLE001  a thread's error would be lost
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert Snapshot.objects.filter(status=Status.VERIFIED).count() == 2
    assert Snapshot.objects.filter(status=Status.RETIRED).count() == 2


def test_the_api_publishes_a_snapshot_and_tells_of_it(docs: list[str]) -> None:
    answer = Client().post("/v1/vectors/index/docs/snapshot", content_type="application/json")

    assert (answer.status_code, answer.json()["seq"], answer.json()["error"]) == (200, 60, None)
    told = Client().get("/v1/vectors/index/docs").json()["snapshot"]
    assert told == answer.json()
    assert Client().post("/v1/vectors/index/nix/snapshot", content_type="application/json").status_code == 404


def test_the_api_says_that_the_storage_has_failed(
    docs: list[str], storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(storage, "save", full_disk)

    assert_problem(
        Client().post("/v1/vectors/index/docs/snapshot", content_type="application/json"), 500, "storage_failed"
    )

    assert Client().get("/v1/vectors/index/docs").json()["snapshot"]["error"]
