"""Which files of a warehouse a table or view needs: from its metadata over manifest lists and manifests to data files.

Whatever deletes files asks here. What cannot be read is an error, never "nothing": a table with a damaged manifest must
not lose the files that the manifest would have named.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from catalog.disk_files import SCHEME
from catalog.errors import OutsideWarehouse
from catalog.locations import confine
from catalog.manifests import live_files, read_manifest_list
from catalog.models import Relation, Warehouse
from catalog.warehouse_files import read_file
from lakehouse_site.errors import LakehouseError

METADATA: Final = "metadata file"
OLD_METADATA: Final = "old metadata file"
STATISTICS: Final = "statistics file"
MANIFEST_LIST: Final = "manifest list"
MANIFEST: Final = "manifest"
DATA_FILE: Final = "data file"
DELETE_FILE: Final = "delete file"
MAX_MANIFEST_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reached:
    """A file that is needed.

    Attributes
    ----------
    location
        As it is written.
    kind
        One of the words above.
    size_bytes
        As it is recorded; None where it is not.
    """

    location: str
    kind: str
    size_bytes: int | None = None


OnFault = Callable[[LakehouseError, str], None]


def files_of(
    warehouse: Warehouse,
    metadata: Mapping[str, Any],
    *,
    snapshot_ids: Collection[int] | None = None,
    seen: set[str] | None = None,
    on_fault: OnFault | None = None,
) -> Iterator[Reached]:
    """Yield every file that metadata leads to, without the metadata file itself.

    Parameters
    ----------
    snapshot_ids
        Only what these snapshots lead to; None: all, and the metadata files before.
    seen
        Manifests that have been read; they are not read again, and what they name is not yielded again.
    on_fault
        Is told of what cannot be read, and where; without it that is raised.

    Raises
    ------
    BadCatalogRequest, OutsideWarehouse, StorageFailed
        A manifest list or a manifest cannot be read.
    """
    seen = set() if seen is None else seen
    for snapshot in metadata.get("snapshots") or ():
        if snapshot_ids is None or snapshot["snapshot-id"] in snapshot_ids:
            yield from _guarded(_of_snapshot(warehouse, snapshot, seen, on_fault), on_fault, snapshot)
    for name in ("statistics", "partition-statistics"):
        for one in metadata.get(name) or ():
            if snapshot_ids is None or one.get("snapshot-id") in snapshot_ids:
                yield Reached(one["statistics-path"], STATISTICS, one.get("file-size-in-bytes"))
    if snapshot_ids is None:
        for entry in metadata.get("metadata-log") or ():
            yield Reached(entry["metadata-file"], OLD_METADATA)


def files_of_relation(warehouse: Warehouse, relation: Relation, *, seen: set[str] | None = None) -> Iterator[Reached]:
    """Yield every file that a table or view needs; else as `files_of`."""
    yield Reached(relation.metadata_location, METADATA)
    yield from files_of(warehouse, orjson.loads(relation.metadata_text), seen=seen)


def _of_snapshot(
    warehouse: Warehouse, snapshot: Mapping[str, Any], seen: set[str], on_fault: OnFault | None
) -> Iterator[Reached]:
    location = snapshot.get("manifest-list")
    manifests: list[tuple[str, int | None]]
    if location is None:
        manifests = [(path, None) for path in snapshot.get("manifests", ())]  # format version 1 may list them itself
    else:
        yield Reached(location, MANIFEST_LIST)
        found = read_manifest_list(read_file(warehouse, location), name=location)
        manifests = [(entry.path, entry.length) for entry in found]
    for path, length in manifests:
        if path not in seen:
            seen.add(path)
            yield Reached(path, MANIFEST, length)
            yield from _guarded(_of_manifest(warehouse, path), on_fault, snapshot)


def _of_manifest(warehouse: Warehouse, path: str) -> Iterator[Reached]:
    data = read_file(warehouse, path, max_bytes=MAX_MANIFEST_BYTES)
    for file in live_files(data, name=path):
        yield Reached(file.path, DELETE_FILE if file.content else DATA_FILE, file.size_bytes or None)


def _guarded(files: Iterator[Reached], on_fault: OnFault | None, snapshot: Mapping[str, Any]) -> Iterator[Reached]:
    try:
        yield from files
    except LakehouseError as error:
        if on_fault is None:
            raise
        on_fault(error, f"snapshot {snapshot['snapshot-id']}")


def place_of(warehouse: Warehouse, location: str) -> str:
    """Return one spelling of a location for all that mean the same file, links on a disk resolved.

    Raises
    ------
    OutsideWarehouse
        It does not lie in the warehouse.
    """
    found = confine(location, root=warehouse.root)
    return SCHEME + os.path.realpath(found.removeprefix(SCHEME)) if found.startswith(SCHEME) else found


def discard_needed(
    warehouse: Warehouse, candidates: dict[str, Any], relations: Iterator[Relation], *, seen: set[str] | None = None
) -> None:
    """Take what tables and views need out of `candidates`, whose keys are places (`place_of`).

    Raises
    ------
    BadCatalogRequest, OutsideWarehouse, StorageFailed
        It cannot be found out what one of them needs: then none of the candidates may be deleted.
    """
    seen = set() if seen is None else seen
    for relation in relations:
        if not candidates:
            return
        for reached in files_of_relation(warehouse, relation, seen=seen):
            try:
                candidates.pop(place_of(warehouse, reached.location), None)
            except OutsideWarehouse:  # then it is none of the candidates either
                continue


def all_relations(
    warehouse: Warehouse, *, other_than: int | None = None, as_if: Mapping[int, str] | None = None
) -> Iterator[Relation]:
    """Yield every table and view that somebody may still read or undrop, as it stands now.

    Parameters
    ----------
    as_if
        Metadata to put into some of them, by their id.
    """
    rows = Relation.objects.filter(namespace__warehouse=warehouse).order_by("pk")
    for pk in list(rows.values_list("pk", flat=True)):
        if pk == other_than:
            continue
        found = Relation.objects.select_related("namespace__warehouse").filter(pk=pk).first()
        if found is not None:
            found.metadata_text = (as_if or {}).get(pk, found.metadata_text)
            yield found
