"""What a commit brings in: each location in its metadata and each data file of its manifests lies in the warehouse.

A client can commit a manifest that names any file of this machine; whoever reads the table would read that file. So
manifests are read here, as data, before the commit, and nothing that they name is opened.

Where grants decide, a table that names files of another would show rows that its readers may not read, so there
everything new has to lie in the table's own folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalog import grants
from catalog.callers import Caller
from catalog.disk_files import SCHEME
from catalog.errors import BadCatalogRequest, NotGranted
from catalog.locations import confine
from catalog.manifests import data_file_paths, read_manifest_list
from catalog.metadata_checks import locations_of
from catalog.models import Warehouse
from catalog.warehouse_files import check_inside, lies_in, read_file
from lakehouse_site.errors import StorageFailed

# Of all manifests of one commit together.
MAX_NEW_BYTES = 512 * 1024 * 1024


def check_new_places(
    *,
    warehouse: Warehouse,
    metadata: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    own_folders: Sequence[str],
    caller: Caller,
) -> None:
    """Check everything that `metadata` names and `before`, the metadata that stands, does not.

    Parameters
    ----------
    own_folders
        Where the new files of a caller must lie whom grants bind; others may name files anywhere in the warehouse.

    Raises
    ------
    OutsideWarehouse
        A location or a data file does not lie in the warehouse.
    NotGranted
        It does not lie in `own_folders`, and grants bind the caller.
    BadCatalogRequest
        A manifest is missing, damaged, or too large to be checked.
    """
    places = _Places(warehouse, own_folders if grants.binds(caller=caller, warehouse=warehouse) else None)
    known = set(locations_of(before)) if before is not None else set()
    for location in locations_of(metadata):
        if location not in known:
            places.check(location)
    held = {snapshot["snapshot-id"]: snapshot for snapshot in (before or {}).get("snapshots", ())}
    added = [one for one in metadata.get("snapshots", ()) if held.get(one["snapshot-id"]) != one]
    if added:
        _check_manifests(places, added, _standing(held, before, added))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where new files may lie. `folders` are those found to be right, so that links are looked up once for each."""

    warehouse: Warehouse
    own_folders: Sequence[str] | None
    folders: set[str] = field(default_factory=set)

    def check(self, location: str) -> None:
        check_inside(self.warehouse, location)
        if self.own_folders is not None and not lies_in(self.warehouse, location, self.own_folders):
            own = " or ".join(self.own_folders)
            raise NotGranted(
                f"Forbidden: {location[:300]!a} does not lie in the table's own folder, {own}. Where namespaces are "
                "granted, only an admin's token may let a table name files elsewhere."
            )

    def check_data_file(self, path: str) -> None:
        location = confine(path, root=self.warehouse.root)
        folder = location.rpartition("/")[0]
        is_link = location.startswith(SCHEME) and os.path.islink(location.removeprefix(SCHEME))
        if folder not in self.folders or is_link:
            self.check(location)
            self.folders.add(folder)


def _standing(held: Mapping[int, Any], before: Mapping[str, Any] | None, added: list[Any]) -> list[Any]:
    """Return the snapshots whose manifests the new ones most likely repeat: they were checked when they were new."""
    ids = {(before or {}).get("current-snapshot-id"), *(one.get("parent-snapshot-id") for one in added)}
    return [held[one] for one in ids if one in held]


def _check_manifests(places: _Places, added: list[Any], standing: list[Any]) -> None:
    warehouse = places.warehouse
    checked: set[str] = set()
    for snapshot in standing:
        try:
            checked.update(_manifests_of(warehouse, snapshot))
        except (BadCatalogRequest, StorageFailed):  # gone or never there: then everything is read
            continue
    read = 0
    for snapshot in added:
        for manifest in _manifests_of(warehouse, snapshot):
            if manifest in checked:
                continue
            places.check(manifest)
            data = read_file(warehouse, manifest)
            read += len(data)
            if read > MAX_NEW_BYTES:
                raise BadCatalogRequest(f"The new manifests have over {MAX_NEW_BYTES} bytes together.")
            for path in data_file_paths(data, name=manifest):
                places.check_data_file(path)
            checked.add(manifest)


def _manifests_of(warehouse: Warehouse, snapshot: Mapping[str, Any]) -> list[str]:
    location = snapshot.get("manifest-list")
    if location is None:
        return list(snapshot.get("manifests", ()))  # format version 1 may list them in the metadata
    return [entry.path for entry in read_manifest_list(read_file(warehouse, location), name=location)]
