"""Deleting files that nothing needs any more: each look is at what stands now, and what is in doubt stays."""

from __future__ import annotations

import logging
from collections.abc import Iterable
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
        How many stay because they are younger than the grace period; a later run takes them.
    errors
        A line for each that could not be deleted, and why nothing was.
    """

    files: int = 0
    size_bytes: int = 0
    young: int = 0
    locations: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


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


def remove_unneeded(
    *,
    warehouse: Warehouse,
    folder: str,
    places: set[str],
    grace: timedelta,
    is_dry_run: bool,
    spared: int | None = None,
) -> Removal:
    """Delete files of one table's folder that no table or view needs.

    Parameters
    ----------
    places
        The files in question (`within`).
    grace
        Files changed within this time stay.
    spared
        A table whose own needs have been taken out already: a dry run asks for what it would need then.
    """
    removal = Removal()
    if not places:
        return removal
    now = timezone.now()
    files: dict[str, StoredFile] = {}
    for location, size, modified in list_files(warehouse, folder):
        place = place_of(warehouse, location)
        if place in places:
            if now - modified < grace:
                removal.young += 1
            else:
                files[place] = StoredFile(location, size, modified)
    try:
        discard_needed(warehouse, files, all_relations(warehouse, other_than=spared))
    except LakehouseError as error:
        removal.errors.append(f"No file was deleted, as it is not known what all tables need: {error.detail}")
        return removal
    delete_all(warehouse, files.values(), removal, is_dry_run=is_dry_run)
    return removal


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
