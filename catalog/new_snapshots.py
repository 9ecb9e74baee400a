"""What a commit brings in: each location in its metadata and each data file of its manifests lies in the warehouse.

A client can commit a manifest that names any file of this machine; whoever reads the table would read that file. So
manifests are read here, as data, before the commit, and nothing that they name is opened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from catalog.disk_files import SCHEME
from catalog.errors import BadCatalogRequest
from catalog.locations import confine
from catalog.manifests import data_file_paths, read_manifest_list
from catalog.metadata_checks import locations_of
from catalog.models import Warehouse
from catalog.warehouse_files import MAX_READ_BYTES, check_inside, read_file
from lakehouse_site.errors import StorageFailed

# Of all manifests of one commit together.
MAX_NEW_BYTES = 512 * 1024 * 1024


def check_new_places(*, warehouse: Warehouse, metadata: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
    """Check everything that `metadata` names and `before`, the metadata that stands, does not.

    Raises
    ------
    OutsideWarehouse
        A location or a data file lies elsewhere.
    BadCatalogRequest
        A manifest is missing, damaged, or too large to be checked.
    """
    known = set(locations_of(before)) if before is not None else set()
    for location in locations_of(metadata):
        if location not in known:
            check_inside(warehouse, location)
    held = {snapshot["snapshot-id"]: snapshot for snapshot in (before or {}).get("snapshots", ())}
    added = [one for one in metadata.get("snapshots", ()) if held.get(one["snapshot-id"]) != one]
    if added:
        _check_manifests(warehouse, added, _standing(held, before, added))


def _standing(held: Mapping[int, Any], before: Mapping[str, Any] | None, added: list[Any]) -> list[Any]:
    """Return the snapshots whose manifests the new ones most likely repeat: they were checked when they were new."""
    ids = {(before or {}).get("current-snapshot-id"), *(one.get("parent-snapshot-id") for one in added)}
    return [held[one] for one in ids if one in held]


def _check_manifests(warehouse: Warehouse, added: list[Any], standing: list[Any]) -> None:
    checked: set[str] = set()
    for snapshot in standing:
        try:
            checked.update(_manifests_of(warehouse, snapshot))
        except (BadCatalogRequest, StorageFailed):  # gone or never there: then everything is read
            continue
    folders: set[str] = set()
    read = 0
    for snapshot in added:
        for manifest in _manifests_of(warehouse, snapshot):
            if manifest in checked:
                continue
            data = read_file(warehouse, manifest)
            read += len(data)
            if read > MAX_NEW_BYTES:
                raise BadCatalogRequest(f"The new manifests have over {MAX_NEW_BYTES} bytes together.")
            for path in data_file_paths(data):
                _check_data_file(warehouse, path, folders)
            checked.add(manifest)


def _manifests_of(warehouse: Warehouse, snapshot: Mapping[str, Any]) -> list[str]:
    location = snapshot.get("manifest-list")
    if location is None:
        return list(snapshot.get("manifests", ()))  # format version 1 may list them in the metadata
    entries = read_manifest_list(read_file(warehouse, location, max_bytes=MAX_READ_BYTES))
    return [entry.path for entry in entries]


def _check_data_file(warehouse: Warehouse, path: str, folders: set[str]) -> None:
    """Check one data file; `folders` are those found to be inside, so that links are looked up once for each."""
    location = confine(path, root=warehouse.root)
    if not location.startswith(SCHEME):
        return
    local = location.removeprefix(SCHEME)
    folder = os.path.dirname(local)
    if folder not in folders or os.path.islink(local):
        check_inside(warehouse, location)
        folders.add(folder)
