"""Deleting files that nothing needs any more: each look is at what stands now, and what is in doubt stays."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from catalog.errors import OutsideWarehouse
from catalog.models import Warehouse
from catalog.reachability import all_relations, discard_needed, place_of
from catalog.warehouse_files import delete_file, list_files
from lakehouse_site.errors import LakehouseError

logger = logging.getLogger(__name__)

GRACE: Final = timedelta(hours=1)
SHOWN_FILES: Final = 1000


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the storage."""

    location: str
    size_bytes: int
    modified_at: datetime


@dataclass(slots=True)
class Removal:
    """What was deleted, or would be.

    Attributes
    ----------
    locations
        The first of them.
    young
        How many stay because they are younger than the grace period; `orphans` takes them when they are older.
    errors
        A line for each that could not be deleted, and why nothing was.
    """

    files: int = 0
    size_bytes: int = 0
    young: int = 0
    locations: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def take(self, other: Removal) -> None:
        """Add what was done elsewhere."""
        self.files += other.files
        self.size_bytes += other.size_bytes
        self.young += other.young
        self.locations += other.locations
        self.errors += other.errors


def within(warehouse: Warehouse, folder: str, locations: Iterable[str]) -> set[str]:
    """Return the places of those locations that lie in a folder: the files of others are never a table's to delete."""
    top = place_of(warehouse, folder) + "/"
    found = set()
    for location in locations:
        try:
            place = place_of(warehouse, location)
        except OutsideWarehouse:
            continue
        if place.startswith(top):
            found.add(place)
    return found


@dataclass(frozen=True, slots=True)
class Candidates:
    """Files of one table's folder that may have lost their use: places as `within` returns them."""

    folder: str
    places: set[str]


def remove_unneeded(
    *,
    warehouse: Warehouse,
    candidates: Sequence[Candidates],
    grace: timedelta,
    is_dry_run: bool,
    spared: int | None = None,
    as_if: Mapping[int, str] | None = None,
) -> list[Removal]:
    """Delete those of the files that no table or view needs; return what was done for each of `candidates`.

    All tables are looked at once, however many candidates there are.

    Parameters
    ----------
    grace
        Files changed within this time stay.
    spared
        A table whose own needs do not count.
    as_if
        The metadata that tables would have, by their id: what a dry run goes by.
    """
    removals = [Removal() for _ in candidates]
    files: dict[str, StoredFile] = {}
    for one, removal in zip(candidates, removals, strict=True):
        files |= _old_enough(warehouse, one, removal, grace)
    try:
        discard_needed(warehouse, files, all_relations(warehouse, other_than=spared, as_if=as_if))
    except LakehouseError as error:
        for removal in removals[:1]:
            removal.errors.append(f"No file was deleted, as it is not known what all tables need: {error.detail}")
        return removals
    for one, removal in zip(candidates, removals, strict=True):
        own = [files[place] for place in one.places if place in files]
        delete_all(warehouse, own, removal, is_dry_run=is_dry_run)
    return removals


def _old_enough(
    warehouse: Warehouse, candidates: Candidates, removal: Removal, grace: timedelta
) -> dict[str, StoredFile]:
    now = timezone.now()
    found: dict[str, StoredFile] = {}
    if not candidates.places:
        return found
    for location, size, modified in list_files(warehouse, candidates.folder):
        place = place_of(warehouse, location)
        if place not in candidates.places:
            continue
        if now - modified < grace:
            removal.young += 1
        else:
            found[place] = StoredFile(location, size, modified)
    return found


def delete_all(warehouse: Warehouse, files: Iterable[StoredFile], removal: Removal, *, is_dry_run: bool) -> None:
    """Delete files, and count them in `removal`; one that fails keeps no other."""
    for file in sorted(files, key=lambda one: one.location):
        try:
            if not is_dry_run:
                delete_file(warehouse, file.location)
        except LakehouseError as error:
            removal.errors.append(error.detail)
            continue
        removal.files += 1
        removal.size_bytes += file.size_bytes
        if len(removal.locations) < SHOWN_FILES:
            removal.locations.append(file.location)
    if removal.files and not is_dry_run:
        logger.info("files deleted", extra={"files": removal.files, "size_bytes": removal.size_bytes})
