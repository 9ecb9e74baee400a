"""Files in object storage (Django's default storage), never overwritten; and scratch files beside the data.

Storages raise errors of their own libraries, which nobody can list: here all of them become `StorageFailed`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, cast

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import Error

from lakehouse_site.errors import DamagedFile, LakehouseError, StorageFailed

logger = logging.getLogger(__name__)

READ_BYTES = 1024 * 1024
SCRATCH_LEFTOVER_SECONDS = 24 * 3600


class _Movable(File):  # type: ignore[type-arg]  # takes an argument only in the stubs
    """A file the local storage may rename into its place instead of copying it."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def scratch_dir() -> Path:
    """Return the folder of files that are being made; on the same disk as local objects.

    Raises
    ------
    StorageFailed
        There is none and it cannot be made.
    """
    folder = Path(settings.LAKEHOUSE_DATA_DIR) / "scratch"
    with _errors(f"{folder} could not be made"):
        folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def scratch_path(suffix: str) -> Iterator[Path]:
    """Yield the path of a file that does not exist yet, and remove it in the end."""
    path = scratch_dir() / f"{os.getpid()}-{secrets.token_hex(8)}{suffix}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def make_scratch() -> BinaryIO:
    """Open an empty temporary file that goes when it is closed."""
    return cast(BinaryIO, tempfile.TemporaryFile(dir=scratch_dir()))


def sweep_scratch() -> int:
    """Remove what killed processes left behind; return how many files that were."""
    removed = 0
    for path in scratch_dir().iterdir():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > SCRATCH_LEFTOVER_SECONDS:
                path.unlink()
                removed += 1
    return removed


def save_object(name: str, path: Path, size: int, sha256: str) -> None:
    """Move a file into the storage under a name nothing has yet, and see that it arrived whole.

    Parameters
    ----------
    name, path
        Where to, and what; the file may be gone afterwards.
    size, sha256
        Those of the file, from `file_hash`.

    Raises
    ------
    StorageFailed
        It could not be saved, or reading it back gave something else. Something may be stored under the name.
    """
    with _errors(f"{name} could not be saved"):
        with path.open("rb") as file:
            stored = default_storage.save(name, _Movable(file, name=str(path)))
        if stored != name:
            default_storage.delete(stored)
            raise StorageFailed(f"{name} exists in the object storage already; it was not touched.")
        _sync_folder(name)
    try:
        with open_object(name) as back:
            found = stream_hash(back)
    except DamagedFile as error:
        raise StorageFailed(f"{name} was saved and is not there.") from error
    if found != (size, sha256):
        raise StorageFailed(f"{name} was read back with {found[0]} bytes and another checksum; {size} were written.")


@contextmanager
def open_object(name: str) -> Iterator[BinaryIO]:
    """Open an object for reading; it can seek.

    Raises
    ------
    DamagedFile
        There is no such object.
    StorageFailed
        The storage does not answer, or fails while the object is read: also for errors raised inside the `with`.
    """
    with _errors(f"{name} could not be read"):
        try:
            file = default_storage.open(name)
        except FileNotFoundError as error:
            raise DamagedFile(f"{name} is missing in the object storage.") from error
        with file:
            file.seek(0)  # some storages fetch the object here
            yield cast(BinaryIO, file)


def delete_object(name: str) -> None:
    """Delete an object; one that is not there is no error.

    Raises
    ------
    StorageFailed
        The storage does not answer or refuses.
    """
    with _errors(f"{name} could not be deleted"):
        default_storage.delete(name)
        _drop_empty_folder(name)


def list_objects(folder: str) -> list[str]:
    """Return the names of the objects in the folders of a folder.

    Raises
    ------
    StorageFailed
        The storage does not answer or refuses.
    """
    with _errors(f"{folder} could not be listed"):
        try:
            folders = default_storage.listdir(folder)[0]
            inner = [f"{folder}/{name}" for name in folders]
            return sorted(f"{path}/{name}" for path in inner for name in default_storage.listdir(path)[1])
        except FileNotFoundError:
            return []


def file_hash(path: Path) -> tuple[int, str]:
    """Return size and SHA-256 of a file on disk."""
    with path.open("rb") as file:
        return stream_hash(file)


def stream_hash(file: IO[bytes]) -> tuple[int, str]:
    """Return length and SHA-256 of what is left to read."""
    digest, size = hashlib.sha256(), 0
    while data := file.read(READ_BYTES):
        digest.update(data)
        size += len(data)
    return size, digest.hexdigest()


def _sync_folder(name: str) -> None:
    with suppress(NotImplementedError):  # only a local storage has folders
        path, root = Path(default_storage.path(name)), Path(default_storage.path("."))
        # A name is on disk when its folder is, and so on up: all of these may just have been made.
        for folder in path.parents[: len(path.parts) - len(root.parts) + 1]:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _drop_empty_folder(name: str) -> None:
    with suppress(NotImplementedError, OSError):  # only a local storage has folders
        os.rmdir(os.path.dirname(default_storage.path(name)))


@contextmanager
def _errors(what: str) -> Iterator[None]:
    try:
        yield
    except (LakehouseError, Error):
        raise
    except Exception as error:  # boto3, botocore, urllib3, OSError, ...: none of them is ours to name
        raise StorageFailed(f"{what}: {type(error).__name__}: {error}") from error
