"""Files of a warehouse that no table or view needs: what commits that failed, and processes that died, left behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.utils import timezone

from catalog.models import Warehouse
from catalog.reachability import all_relations, discard_needed, place_of
from catalog.removals import Removal, StoredFile, delete_all
from catalog.warehouse_files import list_files
from lakehouse_site.errors import InvalidInput, LakehouseError

DEFAULT_AGE: Final = timedelta(days=3)
MIN_AGE: Final = timedelta(hours=1)
"""A commit that is under way has written its files before anything names them: only their age protects those."""


def remove_orphans(*, warehouse: Warehouse, older_than: timedelta = DEFAULT_AGE, is_dry_run: bool = True) -> Removal:
    """Delete files that no table or view needs, dropped ones that can be undropped included.

    Parameters
    ----------
    older_than
        Younger files stay. It must be longer than the longest a client takes from its first file to its commit.

    Raises
    ------
    InvalidInput
        `older_than` is too short.
    """
    if older_than < MIN_AGE:
        detail = f"Files younger than {MIN_AGE} may belong to a commit that is under way: no less is taken."
        raise InvalidInput.at("older_than", "too_short", detail)
    removal = Removal()
    now = timezone.now()
    files: dict[str, StoredFile] = {}
    # First the files and then the tables: what is committed in between is seen with its table.
    for location, size, modified in list_files(warehouse, warehouse.root):
        if now - modified < older_than:
            removal.young += 1
        else:
            files[place_of(warehouse, location)] = StoredFile(location, size, modified)
    try:
        discard_needed(warehouse, files, all_relations(warehouse))
    except LakehouseError as error:
        removal.errors.append(f"No file was deleted, as it is not known what all tables need: {error.detail}")
        return removal
    delete_all(warehouse, files.values(), removal, is_dry_run=is_dry_run)
    return removal
