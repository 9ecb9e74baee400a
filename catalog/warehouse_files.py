"""The files of a warehouse, on disk or in a bucket: each location is confined to the warehouse before it is touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from io import BytesIO, FileIO
from pathlib import Path
from typing import Final

from django.core.files.storage import storages

from catalog.bucket_files import BucketFiles
from catalog.disk_files import DiskFiles
from catalog.locations import confine
from catalog.models import Warehouse

MAX_READ_BYTES: Final = 64 * 1024 * 1024


def check_inside(warehouse: Warehouse, location: str) -> str:
    """Return a location, normalised, if it lies in the warehouse, also after links on disk are resolved.

    Raises
    ------
    OutsideWarehouse
        It does not. Nothing was opened.
    """
    found = confine(location, root=warehouse.root)
    _files(warehouse).resolved(found)
    return found


def lies_in(warehouse: Warehouse, location: str, folders: Iterable[str]) -> bool:
    """Return whether a location is one of the folders or lies below one, also after links on disk are resolved.

    Raises
    ------
    OutsideWarehouse
        The location or a folder does not lie in the warehouse at all.
    """
    files = _files(warehouse)
    place = files.resolved(confine(location, root=warehouse.root))
    tops = [files.resolved(confine(folder, root=warehouse.root)) for folder in folders]
    return any(place == top or place.startswith(f"{top}/") for top in tops)


def read_file(warehouse: Warehouse, location: str, *, max_bytes: int = MAX_READ_BYTES) -> bytes:
    """Return what a file says.

    Raises
    ------
    OutsideWarehouse, BadCatalogRequest
        It lies elsewhere; there is none; it is too large.
    StorageFailed
        The storage refuses or does not answer.
    """
    return _files(warehouse).read(confine(location, root=warehouse.root), max_bytes=max_bytes)


def open_file(warehouse: Warehouse, location: str) -> FileIO | BytesIO:
    """Open a file that lies on disk, or fetch one from a bucket; else as `read_file`."""
    files = _files(warehouse)
    found = confine(location, root=warehouse.root)
    return files.open(found) if isinstance(files, DiskFiles) else BytesIO(files.read(found, max_bytes=MAX_READ_BYTES))


def write_new_file(warehouse: Warehouse, location: str, data: bytes) -> None:
    """Write a file that was not there, durably, and read it back.

    Raises
    ------
    OutsideWarehouse
        It would lie elsewhere.
    StorageFailed
        There is something of this name, or the storage fails.
    """
    _files(warehouse).write_new(confine(location, root=warehouse.root), data)


def save_file(warehouse: Warehouse, location: str, path: Path) -> None:
    """Copy a file of this machine to a location where nothing was, durably; else as `write_new_file`."""
    _files(warehouse).save(confine(location, root=warehouse.root), path)


def delete_file(warehouse: Warehouse, location: str) -> None:
    """Delete a file; one that is not there is no error."""
    _files(warehouse).delete(confine(location, root=warehouse.root))


def list_files(warehouse: Warehouse, prefix: str) -> Iterator[tuple[str, int, datetime]]:
    """Yield location, size in bytes and time of change of every file below a location."""
    return _files(warehouse).list(confine(prefix, root=warehouse.root))


def make_folders(warehouse: Warehouse, location: str) -> None:
    """Make the folders `data` and `metadata` of a table, where there are folders."""
    _files(warehouse).make_folders(confine(location, root=warehouse.root))


def _files(warehouse: Warehouse) -> DiskFiles | BucketFiles:
    if warehouse.root.startswith("file:"):
        return _disk(warehouse.root)
    return BucketFiles(warehouse.root, storages[warehouse.storage_alias])


@lru_cache(maxsize=16)
def _disk(root: str) -> DiskFiles:
    return DiskFiles(root)
