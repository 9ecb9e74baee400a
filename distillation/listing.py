"""Which files of scored runs there are: in a folder of this machine, or in the object storage."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast

from django.core.files.storage import Storage, default_storage
from django.db import Error

from distillation.compressed import Readable
from lakehouse_site.errors import InvalidInput, LakehouseError, StorageFailed

FOLDER = "scored-runs"
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
STORAGE_PREFIX = "storage:"
_PLACE = re.compile(rf"{FOLDER}/(\d{{4}})/(\d{{2}})/(\d{{2}})/([^/]+)", re.ASCII)


class Source(Protocol):
    """A place with files in folders. Names are relative to the root, with forward slashes."""

    def names(self) -> Iterator[str]: ...

    def open(self, name: str) -> BinaryIO: ...

    def size(self, name: str) -> int: ...

    def location(self, name: str) -> str: ...


@dataclass(frozen=True, slots=True)
class RunFile:
    """One input file.

    Attributes
    ----------
    path
        How the file is called in reports and in the database: the name of the root folder, then the way from there.
    name
        The way from the root down.
    source
        Where it is.
    """

    path: str
    name: str
    source: Source

    @property
    def size_bytes(self) -> int:
        return self.source.size(self.name)

    @property
    def location(self) -> str:
        """Where `open_location` finds it again."""
        return self.source.location(self.name)

    @contextmanager
    def open(self) -> Iterator[Readable]:
        """Open the file for reading, as it is stored; `StorageFailed` when it cannot be opened or read."""
        with _errors(self.location):
            file = self.source.open(self.name)
        with file:
            yield _Told(file, self.location)


class _Told:
    """A file whose errors say which file it is."""

    def __init__(self, file: BinaryIO, location: str) -> None:
        self._file, self._location = file, location

    def read(self, size: int, /) -> bytes:
        with _errors(self._location):
            return self._file.read(size)


class LocalFolder:
    """Files below a folder. A symlink that leads out of it is not followed."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def names(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.root / FOLDER, onerror=_refuse):
            folders.sort()
            for file in sorted(files):
                path = Path(folder) / file
                if path.is_file() and path.resolve().is_relative_to(self.root):
                    yield path.relative_to(self.root).as_posix()

    def open(self, name: str) -> BinaryIO:
        return (self.root / name).open("rb")

    def size(self, name: str) -> int:
        return (self.root / name).stat().st_size

    def location(self, name: str) -> str:
        return str(self.root / name)


class StorageFolder:
    """Files below a prefix of a django storage."""

    def __init__(self, prefix: str, storage: Storage | None = None) -> None:
        self.prefix = prefix.strip("/")
        self.storage = storage or default_storage

    def names(self) -> Iterator[str]:
        yield from self._below(FOLDER)

    def _below(self, folder: str) -> Iterator[str]:
        try:
            folders, files = self.storage.listdir(self._full(folder))
        except FileNotFoundError:
            return
        for file in files:
            yield f"{folder}/{file}"
        for inner in folders:
            if inner:
                yield from self._below(f"{folder}/{inner}")

    def open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, self.storage.open(self._full(name), "rb"))

    def size(self, name: str) -> int:
        return self.storage.size(self._full(name))

    def location(self, name: str) -> str:
        return STORAGE_PREFIX + self._full(name)

    def _full(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


def list_scored_run_files(root: str | Path | Source) -> list[RunFile]:
    """Return the files ``scored-runs/YYYY/MM/DD/*.jsonl``, also ``.gz`` and ``.zst``, below a root, sorted by path.

    Parameters
    ----------
    root
        A folder; ``storage:PREFIX`` for a prefix of the object storage; or any `Source`. A root that has no folder
        ``scored-runs`` but one in its folder ``data`` means the latter.

    Raises
    ------
    InvalidInput
        There is no such folder, or it has no scored runs.
    StorageFailed
        The place cannot be looked through.
    """
    if isinstance(root, (str, Path)):
        source, label = _source_of(root)
    else:
        source, label = root, ""
    with _errors(str(root)):
        names = [name for name in source.names() if is_run_file(name)]
    files = [RunFile(str(PurePosixPath(label) / name), name, source) for name in names]
    return sorted(files, key=lambda file: file.path)


def is_run_file(name: str) -> bool:
    """Say whether a name, from the root down, is that of a file of scored runs."""
    place = _PLACE.fullmatch(name)
    if place is None or place[4].startswith(".") or not place[4].endswith(SUFFIXES):
        return False
    with suppress(ValueError):
        return bool(date(int(place[1]), int(place[2]), int(place[3])))
    return False


@contextmanager
def open_location(location: str) -> Iterator[Readable]:
    """Open a file where a `RunFile.location` says it is.

    Raises
    ------
    StorageFailed
        It is not there or cannot be read.
    """
    with _errors(location):
        in_storage = location.startswith(STORAGE_PREFIX)
        file = default_storage.open(location.removeprefix(STORAGE_PREFIX)) if in_storage else open(location, "rb")  # noqa: SIM115
    with file:
        yield _Told(cast(BinaryIO, file), location)


def _source_of(root: str | Path) -> tuple[Source, str]:
    """Return where the files are, and what their paths begin with."""
    text = str(root)
    if text.startswith(STORAGE_PREFIX):
        storage = StorageFolder(text.removeprefix(STORAGE_PREFIX))
        return storage, PurePosixPath(storage.prefix).name
    folder = Path(root)
    for candidate in (folder, folder / "data"):
        if (candidate / FOLDER).is_dir():
            local = LocalFolder(candidate)
            return local, local.root.name
    raise InvalidInput.at(
        "",
        "no_scored_runs",
        f"{text} has no folder {FOLDER}. ROOT is the folder that holds {FOLDER}/YYYY/MM/DD/*.jsonl.",
    )


def _refuse(error: OSError) -> None:
    raise error  # a folder that may not be looked into must not pass for an empty one


@contextmanager
def _errors(place: str) -> Iterator[None]:
    try:
        yield
    except (LakehouseError, Error):
        raise
    except Exception as error:  # each storage has errors of its own libraries, which nobody can list
        raise StorageFailed(f"{place} could not be read: {type(error).__name__}: {error}") from error
