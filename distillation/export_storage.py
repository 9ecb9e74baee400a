"""Files of an export in the object storage under ``exports/<export id>/``, and copies of them in a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from distillation.export_request import SPLITS
from distillation.export_writer import CARD, DECISIONS, INFO, MANIFEST, PROVENANCE, data_file
from distillation.row_files import FileType
from lakehouse_site.errors import DamagedFile, InvalidInput, StorageFailed
from vectors.objects import delete_object, file_hash, open_object, save_object, scratch_dir, scratch_path, stream_hash

FOLDER = "exports"
# The manifest goes first when an export is deleted and comes last when it is written: what has none is not done.
FILE_NAMES = (
    MANIFEST,
    *(data_file(split, file_type) for split in SPLITS for file_type in FileType),
    DECISIONS,
    PROVENANCE,
    CARD,
    INFO,
)
_MARK = "export.partial"


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A written file."""

    name: str
    sha256: str
    bytes: int


def object_name(export_id: str, name: str) -> str:
    """Return the name of a file of an export in the storage."""
    return f"{FOLDER}/{export_id}/{name}"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield an empty folder on the disk of the data, and remove it in the end.

    Only who holds the lock of exports may ask: the folders of others are taken for what killed processes have left.
    """
    for leftover in scratch_dir().glob("*.export"):
        shutil.rmtree(leftover, ignore_errors=True)
    with scratch_path(".export") as path:
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def clear(export_id: str) -> None:
    """Delete every file an unfinished export may have left."""
    for name in FILE_NAMES:
        delete_object(object_name(export_id, name))


def save(export_id: str, path: Path) -> FileInfo:
    """Put a file into the storage, and read it back.

    Raises
    ------
    StorageFailed
        It is not there as it was written.
    """
    size, sha256 = file_hash(path)
    save_object(object_name(export_id, path.name), path, size, sha256)
    return FileInfo(path.name, sha256, size)


@contextmanager
def open_file(export_id: str, name: str) -> Iterator[BinaryIO]:
    """Open a file of an export for reading."""
    with open_object(object_name(export_id, name)) as file:
        yield file


def damaged_files(export_id: str, files: Sequence[FileInfo]) -> list[str]:
    """Return the names of the files that are missing or not what they were."""
    damaged = []
    for info in files:
        try:
            with open_file(export_id, info.name) as file:
                is_whole = stream_hash(file) == (info.bytes, info.sha256)
        except DamagedFile:
            is_whole = False
        if not is_whole:
            damaged.append(info.name)
    return damaged


def deliver(export_id: str, files: Sequence[FileInfo], folder: Path) -> None:
    """Copy the files of a complete export to a folder; the manifest comes last.

    Raises
    ------
    InvalidInput
        The folder holds something else than an export, or cannot be written.
    StorageFailed
        A copy has not the checksum of its file.
    """
    check_folder(folder)
    try:
        _deliver(export_id, files, folder)
    except OSError as error:
        raise _unwritable(folder, error) from error


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier export, whole or broken off.

    Raises
    ------
    InvalidInput
        Saying what is in the way.
    """
    try:
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise _unwritable(folder, error) from error
    foreign = sorted(names - {*FILE_NAMES, _MARK})
    if foreign or (names and _MARK not in names and not _is_export(folder / MANIFEST)):
        shown = ", ".join(foreign[:3] or sorted(names)[:3])
        detail = f"{folder} holds something else than an export ({shown}). Name an empty folder or a new one."
        raise InvalidInput.at("", "not_empty", detail)


def _is_export(manifest: Path) -> bool:
    try:
        body = orjson.loads(manifest.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return isinstance(body, dict) and "export_id" in body


def _deliver(export_id: str, files: Sequence[FileInfo], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / _MARK  # says what a folder without a manifest is, should this be broken off
    mark.write_text(export_id)
    for name in FILE_NAMES:
        (folder / name).unlink(missing_ok=True)
    for info in sorted(files, key=lambda info: info.name == MANIFEST):
        target = folder / info.name
        with open_file(export_id, info.name) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1024 * 1024)
            copy.flush()
            os.fsync(copy.fileno())
        if file_hash(target) != (info.bytes, info.sha256):
            raise StorageFailed(f"{target} has not the checksum of the file it was copied from.")
    mark.unlink()


def _unwritable(folder: Path, error: OSError) -> InvalidInput:
    return InvalidInput.at("", "unwritable", f"{folder} cannot be written: {error.strerror or error}.")


def listed_files(manifest: Mapping[str, Any]) -> list[FileInfo]:
    """Return the files a manifest lists; the manifest itself is not among them."""
    return [FileInfo(file["name"], file["sha256"], file["bytes"]) for file in manifest["hashed"]["files"]]


def has_manifest(export_id: str, manifest: Mapping[str, Any]) -> bool:
    """Return whether the stored manifest says what the database says."""
    try:
        with open_file(export_id, MANIFEST) as file:
            return bool(orjson.loads(file.read()) == manifest)
    except (DamagedFile, orjson.JSONDecodeError):
        return False


def manifest_file(export_id: str) -> FileInfo:
    """Return the stored manifest as a file."""
    with open_file(export_id, MANIFEST) as file:
        size, sha256 = stream_hash(file)
    return FileInfo(MANIFEST, sha256, size)
