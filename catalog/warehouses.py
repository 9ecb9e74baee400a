"""Warehouses: the default one is made when it is first asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.core.files.storage import FileSystemStorage, storages

from catalog.errors import NoSuchWarehouse
from catalog.models import Warehouse
from vectors.transactions import run_write

DEFAULT_NAME: Final = "main"
_STORAGE_ALIAS = "default"
_FOLDER = "warehouse"


def default_warehouse() -> Warehouse:
    """Return the warehouse `main`; it lies in the folder `warehouse` of the default storage."""
    found = Warehouse.objects.filter(name=DEFAULT_NAME).first()
    if found is not None:
        return found
    root = root_in_storage(_STORAGE_ALIAS)
    return run_write(
        lambda: Warehouse.objects.get_or_create(
            name=DEFAULT_NAME, defaults={"root": root, "storage_alias": _STORAGE_ALIAS}
        )[0]
    )


def find_warehouse(*, name: str) -> Warehouse:
    """Return a warehouse by its name.

    Raises
    ------
    NoSuchWarehouse
        There is none of this name.
    """
    if name == DEFAULT_NAME:
        return default_warehouse()
    found = Warehouse.objects.filter(name=name).first() if "\x00" not in name else None
    if found is None:
        raise NoSuchWarehouse(f"Warehouse does not exist: {name}")
    return found


def root_in_storage(alias: str) -> str:
    """Return where the warehouse of a storage begins: ``file:///…`` or ``s3://bucket/…``, no slash at its end."""
    storage: Any = storages[alias]
    if isinstance(storage, FileSystemStorage):
        return f"file://{Path(storage.location).absolute() / _FOLDER}"
    parts = (storage.bucket_name, storage.location.strip("/"), _FOLDER)
    return "s3://" + "/".join(part for part in parts if part)
