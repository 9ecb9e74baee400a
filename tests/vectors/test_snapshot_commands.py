from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command

from tests.factories import add_rows, delete, found_keys, make_index, random_rows
from vectors import indexes
from vectors.leases import LeaseHolder
from vectors.models import IndexHead, Snapshot, VectorIndex, VectorItem
from vectors.replicas import replicas
from vectors.upkeep import LEASE

DATA = random_rows(60, 8)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def docs(vectors_db: None, small_graphs: None, storage: FileSystemStorage) -> list[str]:
    make_index(dimension=8)
    return add_rows("docs", DATA)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def lose_the_database() -> None:
    for model in (VectorItem, IndexHead, VectorIndex, Snapshot):
        model.objects.all().delete()
    replicas.stop()


def break_storage(storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch, name: str = "save") -> None:
    def fail(*_: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(storage, name, fail)


def test_a_snapshot_by_command_has_the_whole_graph() -> None:
    (told,) = run_json("index_snapshot", "docs")

    assert (told["index"], told["seq"], told["error"]) == ("docs", 60, None)
    assert Snapshot.objects.get().graph_bytes > 0
    assert "docs: snapshot of" in run("index_snapshot", "--all")


def test_one_failure_of_several_snapshots_is_told_and_the_others_are_made(
    storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_index("other")
    save = storage.save

    def fail_for_docs(name: str, content: Any) -> str:
        if str(indexes.index_state(name="docs").id) in name:
            raise ConnectionError("no route")
        return save(name, content)

    monkeypatch.setattr(storage, "save", fail_for_docs)

    with pytest.raises(CommandError, match=r"docs: .*no route"):
        run("index_snapshot", "docs", "other")

    assert Snapshot.objects.get(status="verified").index_id == indexes.index_state(name="other").id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("index_snapshot",), "--all"),
        (("index_snapshot", "docs", "--all"), "--all"),
        (("index_snapshot", "docs", "nix"), "nix"),
        (("index_rebuild", "nix"), "nix"),
        (("index_restore", "nix"), "no snapshot of an index named 'nix'"),
        (("index_restore", "--object", "_vectors/a/1-b.lhv1"), "missing"),
        (("index_restore", "docs", "--object", "_vectors/a/1-b.lhv1"), "leave out"),
        (("index_restore", "--as", "new"), "name it"),
    ],
)
def test_what_cannot_be_done_ends_with_one_clear_line(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(*arguments)

    assert not Snapshot.objects.exists()


def test_an_index_is_rebuilt_by_command() -> None:
    assert run("index_rebuild", "docs").startswith("docs: rebuilt; snapshot of")
    assert run_json("index_rebuild", "docs")["snapshot"]["seq"] == 60
    assert IndexHead.objects.get().generation == 2


def test_everything_comes_back_from_the_storage(docs: list[str]) -> None:
    make_index("other")
    run("index_snapshot", "--all")
    lose_the_database()

    listed = run_json("index_restore", "--list")
    restored = run_json("index_restore")
    again = run_json("index_restore")

    assert [(one["name"], one["count"]) for one in listed["backups"]] == [("docs", 60), ("other", 0)]
    assert restored == {"restored": ["docs", "other"], "present": [], "problems": []}
    assert again == {"restored": [], "present": ["docs", "other"], "problems": []}
    assert found_keys("docs", DATA[4], k=1) == [docs[4]]


def test_one_comes_back_under_another_name_from_a_named_file() -> None:
    run("index_snapshot", "docs")
    name = Snapshot.objects.get().object_name
    assert name in run("index_restore", "--list")

    assert run("index_restore", "docs", "--as", "first") == "first: restored.\n"
    assert run("index_restore", "--object", name, "--as", "second") == "second: restored.\n"
    assert run("index_restore", "docs") == "docs: exists, left alone.\n"

    assert indexes.index_state(name="second").live_count == 60


def test_of_two_with_one_name_the_newest_is_taken_only_on_request() -> None:
    run("index_snapshot", "docs")
    lose_the_database()
    make_index(dimension=8)
    add_rows("docs", DATA[:30])
    run("index_snapshot", "docs")
    lose_the_database()

    with pytest.raises(CommandError, match="--newest"):
        run("index_restore")
    assert run_json("index_restore", "--newest")["restored"] == ["docs"]

    assert indexes.index_state(name="docs").live_count == 30


def test_an_empty_storage_and_a_broken_file_are_told(storage: FileSystemStorage) -> None:
    assert "There are no snapshots" in run("index_restore", "--list")
    assert "There are no snapshots" in run("index_restore")
    make_index("other")
    run("index_snapshot", "--all")
    broken = Snapshot.objects.get(index_id=indexes.index_state(name="docs").id).object_name
    lose_the_database()
    path = Path(storage.path(broken))
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(CommandError, match=broken):
        run("index_restore")

    assert [index.name for index in indexes.list_indexes()] == ["other"]


def test_a_storage_that_is_away_is_told(storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    break_storage(storage, monkeypatch, "listdir")

    with pytest.raises(CommandError, match="no route"):
        run("index_restore", "--list")


def test_maintenance_by_command_says_what_it_did(docs: list[str]) -> None:
    delete("docs", *docs[:5])
    assert run_json("vectors_maintain")["snapshots"] == 0
    IndexHead.objects.update(updated_at=LONG_AGO, purge_mark_at=LONG_AGO)

    done = run_json("vectors_maintain")

    assert done == {
        "skipped": False,
        "indexes": 1,
        "snapshots": 1,
        "purged_tombstones": 5,
        "deleted_files": 0,
        "errors": [],
    }
    assert Snapshot.objects.get().graph_bytes > 0
    assert run("vectors_maintain").startswith("1 indexes: 0 snapshots")


def test_maintenance_is_left_to_the_process_that_is_at_it() -> None:
    other = LeaseHolder(LEASE)
    with other.held():
        assert run_json("vectors_maintain") == {"skipped": True}
        assert other.holder in run("vectors_maintain")

    assert run_json("vectors_maintain")["skipped"] is False


def test_maintenance_in_trouble_ends_with_an_error_and_frees_the_lease(
    storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    IndexHead.objects.update(updated_at=LONG_AGO)
    break_storage(storage, monkeypatch)

    with pytest.raises(CommandError, match=r"docs: .*no route"):
        run("vectors_maintain")

    assert LeaseHolder(LEASE).take()
