"""The end of dropped tables, and of records that have served: what nobody can bring back or ask for any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import orjson
from django.conf import settings
from django.utils import timezone

from catalog.durations import MAX_DAYS
from catalog.errors import NoSuchTable
from catalog.models import IdempotencyKey, Namespace, QueryRun, Relation, Warehouse
from catalog.reachability import files_of
from catalog.recorded import LIFETIME
from catalog.removals import Candidates, Removal, remove_unneeded, within
from lakehouse_site.errors import LakehouseError
from vectors.transactions import run_write

QUERY_RUN_AGE: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Purged:
    """A table or view that is gone for good, or would be."""

    table: str
    relation_id: int
    removal: Removal = field(default_factory=Removal)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many records were deleted, or would be."""

    idempotency_keys: int
    query_runs: int
    namespaces: int


def undrop_time() -> timedelta:
    """Return how long a table that was dropped with its files can be undropped."""
    return timedelta(days=min(settings.LAKEHOUSE_CATALOG_UNDROP_DAYS, MAX_DAYS))


def due_for_purge(*, warehouse: Warehouse, older_than: timedelta | None = None) -> list[Relation]:
    """Return the tables whose files were to go with them when they were dropped, and whose time is up.

    Parameters
    ----------
    older_than
        Since the drop; None: as the setting LAKEHOUSE_CATALOG_UNDROP_DAYS says.
    """
    before = timezone.now() - (undrop_time() if older_than is None else older_than)
    rows = Relation.objects.filter(namespace__warehouse=warehouse, is_purge_requested=True, deleted_at__lte=before)
    return list(rows.select_related("namespace__warehouse").order_by("deleted_at", "pk"))


def find_dropped(*, warehouse: Warehouse, relation_id: int) -> Relation:
    """Return a dropped table or view of a warehouse.

    Raises
    ------
    NoSuchTable
        There is none of this id, or it is not dropped.
    """
    rows = Relation.objects.select_related("namespace__warehouse").filter(namespace__warehouse=warehouse)
    found = rows.filter(pk=relation_id).exclude(deleted_at=None).first()
    if found is None:
        raise _missing(relation_id)
    return found


def _missing(relation_id: int) -> NoSuchTable:
    return NoSuchTable(f"There is no dropped table or view with the id {relation_id}.")


def purge_relation(*, relation_id: int, is_dry_run: bool = False) -> Purged:
    """Delete a dropped table or view for good: its row, its history, then the files that nothing else needs.

    A process that dies after the row is gone leaves files, which `orphans` finds.

    Raises
    ------
    NoSuchTable
        There is none of this id, or it is not dropped, or no longer.
    """
    found = Relation.objects.select_related("namespace__warehouse").filter(pk=relation_id).first()
    if found is None or found.deleted_at is None:
        raise _missing(relation_id)
    locations = list(found.commits.values_list("metadata_location", flat=True).distinct())

    def work() -> None:
        row = Relation.objects.select_for_update().filter(pk=relation_id, deleted_at=found.deleted_at).first()
        if row is None:
            raise _missing(relation_id)
        row.ingest_runs.all().delete()
        row.delete()

    if not is_dry_run:
        run_write(work)
    return Purged(str(found), relation_id, _remove_files(found, locations, is_dry_run=is_dry_run))


def _remove_files(relation: Relation, locations: list[str], *, is_dry_run: bool) -> Removal:
    warehouse = relation.namespace.warehouse
    faults: list[LakehouseError] = []
    # What a damaged table still names goes with it; the rest of its folder is for `orphans`.
    reached = files_of(warehouse, orjson.loads(relation.metadata_text), on_fault=lambda error, _: faults.append(error))
    wanted = [relation.metadata_location, *locations, *(one.location for one in reached)]
    (removal,) = remove_unneeded(
        warehouse=warehouse,
        candidates=[Candidates(relation.location, within(warehouse, relation.location, wanted))],
        grace=timedelta(0),
        is_dry_run=is_dry_run,
        spared=relation.pk,
    )
    removal.errors += [error.detail for error in faults]
    return removal


def prune_records(*, is_dry_run: bool = False) -> Pruned:
    """Delete answers to keyed requests after a day, query runs after 30 days, and dropped namespaces that are empty."""
    now = timezone.now()
    keys = IdempotencyKey.objects.filter(created_at__lt=now - LIFETIME)
    runs = QueryRun.objects.filter(created_at__lt=now - QUERY_RUN_AGE)
    spaces = Namespace.objects.exclude(deleted_at=None).filter(relations=None)
    pruned = Pruned(keys.count(), runs.count(), spaces.count())

    def work() -> None:
        for rows in (keys, runs, spaces):
            rows.delete()

    if not is_dry_run:
        run_write(work)
    return pruned
