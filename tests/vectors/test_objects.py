from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from pytest_django.fixtures import Settings

from lakehouse_site.errors import DamagedFile, StorageFailed
from vectors import objects

NAME = "_vectors/one/5-abc.lhv1"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


def save(name: str, path: Path) -> None:
    objects.save_object(name, path, *objects.file_hash(path))


def read(name: str) -> bytes:
    with objects.open_object(name) as file:
        return file.read()


def test_an_object_is_saved_read_listed_and_deleted(storage: FileSystemStorage, file: Path) -> None:
    save(NAME, file)

    assert read(NAME) == b"content"
    assert objects.list_objects("_vectors") == [NAME]
    objects.delete_object(NAME)
    objects.delete_object(NAME)
    assert objects.list_objects("_vectors") == []
    assert storage.listdir("_vectors") == ([], [])


def test_an_object_that_exists_is_never_overwritten(storage: FileSystemStorage, file: Path) -> None:
    storage.save(NAME, ContentFile(b"older"))

    with pytest.raises(StorageFailed, match="exists"):
        save(NAME, file)

    assert read(NAME) == b"older"
    assert objects.list_objects("_vectors") == [NAME]


@pytest.mark.parametrize("damage", [b"contenT", b"conten", b"content."])
def test_what_is_read_back_otherwise_is_not_taken_for_saved(
    storage: FileSystemStorage, file: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    move = storage.save

    def save_and_damage(name: str, content: Any) -> str:
        stored = move(name, content)
        Path(storage.path(stored)).write_bytes(damage)
        return stored

    monkeypatch.setattr(storage, "save", save_and_damage)

    with pytest.raises(StorageFailed, match="read back"):
        save(NAME, file)


def test_an_object_that_is_gone_right_after_it_was_saved_is_a_failure_of_the_storage(
    storage: FileSystemStorage, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "save", lambda name, content: name)
    monkeypatch.setattr(objects, "_sync_folder", lambda name: None)

    with pytest.raises(StorageFailed, match="not there"):
        save(NAME, file)


def test_every_folder_on_the_way_is_made_durable(
    storage: FileSystemStorage, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    save(NAME, file)

    root = Path(storage.location)
    assert synced == [root / "_vectors/one", root / "_vectors", root, root.parent]


def test_a_missing_object_is_damage_and_any_error_of_the_storage_a_failure(
    storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DamagedFile, match="missing"):
        read(NAME)

    class ForeignError(Exception):
        pass

    def fail(*_: object) -> None:
        raise ForeignError("out of order")

    for name in ("open", "delete", "listdir"):
        monkeypatch.setattr(storage, name, fail)
    for act in (read, objects.delete_object, objects.list_objects):
        with pytest.raises(StorageFailed, match="ForeignError: out of order"):
            act(NAME)


def test_errors_while_an_object_is_read_become_failures_of_the_storage(storage: FileSystemStorage, file: Path) -> None:
    save(NAME, file)

    with pytest.raises(StorageFailed, match="OSError"), objects.open_object(NAME):
        raise OSError("broken pipe")
    with pytest.raises(DamagedFile, match="mine"), objects.open_object(NAME):
        raise DamagedFile("mine")


def test_scratch_files_go_with_their_block_and_old_ones_are_swept(settings: Settings, tmp_path: Path) -> None:
    settings.LAKEHOUSE_DATA_DIR = tmp_path
    with objects.scratch_path(".x") as path:
        path.touch()
    assert list(objects.scratch_dir().iterdir()) == []

    left, new = (objects.scratch_dir() / name for name in ("left", "new"))
    left.touch()
    new.touch()
    long_ago = time.time() - objects.SCRATCH_LEFTOVER_SECONDS - 1
    os.utime(left, (long_ago, long_ago))

    assert objects.sweep_scratch() == 1
    assert list(objects.scratch_dir().iterdir()) == [new]


def test_a_scratch_folder_that_cannot_be_made_is_a_failure_that_callers_know(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    settings.LAKEHOUSE_DATA_DIR = tmp_path / "gone"

    with pytest.raises(StorageFailed, match="scratch"), objects.scratch_path(".x"):
        pass
