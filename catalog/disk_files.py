"""Files of a warehouse on this machine's disk. A path counts by what it is after links are resolved."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO

from catalog.errors import BadCatalogRequest, OutsideWarehouse
from lakehouse_site.errors import LakehouseError, StorageFailed

SCHEME = "file://"
_COPY_BYTES = 1024 * 1024
_DESCRIPTORS = Path("/proc/self/fd")


class DiskFiles:
    """What a warehouse needs of a disk; the locations have been confined by their text."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root.removeprefix(SCHEME))

    def resolved(self, location: str) -> str:
        return str(self._path(location))

    def open(self, location: str) -> FileIO:
        """Open a file for reading, without a buffer."""
        with _errors(f"{location} cannot be read"):
            # Not blocking: what a client has put here may be a pipe.
            file = FileIO(os.open(self._path(location), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
            try:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise BadCatalogRequest(f"{location} cannot be read: it is no file.")
                self._check_opened(file.fileno(), location)
            except BaseException:
                file.close()
                raise
            return file

    def read(self, location: str, *, max_bytes: int) -> bytes:
        with _errors(f"{location} cannot be read"), BufferedReader(self.open(location)) as file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise BadCatalogRequest(f"{location} has {size} bytes; {max_bytes} are the most.")
            return file.read(max_bytes)

    def write_new(self, location: str, data: bytes) -> None:
        with self._new_file(location) as file:
            file.write(data)
        if self.read(location, max_bytes=len(data)) != data:
            raise StorageFailed(f"{location} was read back and is not what was written.")

    def save(self, location: str, path: Path) -> None:
        with path.open("rb") as source, self._new_file(location) as file:
            shutil.copyfileobj(source, file, _COPY_BYTES)
        if self._path(location).stat().st_size != path.stat().st_size:
            raise StorageFailed(f"{location} has another size than what was written.")

    def delete(self, location: str) -> None:
        with _errors(f"{location} cannot be deleted"), suppress(FileNotFoundError):
            self._path(location).unlink()

    def list(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        top = Path(prefix.removeprefix(SCHEME))
        self._path(prefix)
        for folder, _, names in os.walk(top):  # links to folders are not followed
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    facts = path.lstat()
                    if stat.S_ISREG(facts.st_mode):
                        yield SCHEME + str(path), facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC)

    def make_folders(self, location: str) -> None:
        # DuckDB writes into these folders and does not make them.
        with _errors(f"{location} cannot be made"):
            for name in ("data", "metadata"):
                self._path(f"{location}/{name}").mkdir(parents=True, exist_ok=True)
            self._sync_up(self._path(location))

    def _path(self, location: str) -> Path:
        real = os.path.realpath(location.removeprefix(SCHEME))
        self._check_real(real, location)
        return Path(real)

    def _check_opened(self, descriptor: int, location: str) -> None:
        """Look where an open file is: a folder may have become a link after its path was resolved."""
        if _DESCRIPTORS.is_dir():  # Linux
            self._check_real(os.path.realpath(_DESCRIPTORS / str(descriptor)), location)

    def _check_real(self, real: str, location: str) -> None:
        if real != self._root and not real.startswith(self._root + "/"):
            raise OutsideWarehouse(f"{location} is a link to a place outside the warehouse.")

    @contextmanager
    def _new_file(self, location: str) -> Iterator[BinaryIO]:
        with _errors(f"{location} cannot be written"):
            path = self._path(location)
            is_new_folder = not path.parent.is_dir()
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with os.fdopen(descriptor, "wb") as file:
                self._check_opened(descriptor, location)
                yield file
                file.flush()
                os.fsync(file.fileno())
            _sync(path.parent)
            if is_new_folder:
                self._sync_up(path.parent.parent)

    def _sync_up(self, folder: Path) -> None:
        """Put a folder and those above it on disk, up to the one that holds the warehouse: all may be new."""
        for one in (folder, *folder.parents):
            if not str(one).startswith(os.path.dirname(self._root)):
                return
            _sync(one)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _errors(what: str) -> Iterator[None]:
    try:
        yield
    except LakehouseError:
        raise
    except FileNotFoundError as error:
        raise BadCatalogRequest(f"{what}: there is no such file.") from error
    except FileExistsError as error:
        raise StorageFailed(f"{what}: there is something of this name, and nothing is overwritten.") from error
    except (OSError, ValueError) as error:
        raise StorageFailed(f"{what}: {error}") from error
