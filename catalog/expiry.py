"""Snapshots that are no longer wanted leave a table, and with them the files that nothing else needs.

First the commit, then the files. A process that dies in between leaves files too many, which `orphans` finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import orjson

from catalog.callers import Caller
from catalog.commits import TableChange, commit_tables
from catalog.errors import CommitFailed
from catalog.models import Relation
from catalog.reachability import files_of, place_of
from catalog.relation_writes import TABLE
from catalog.relations import find_table, now_ms
from catalog.removals import GRACE, Removal, remove_unneeded, within
from catalog.retention import COLLECTION_PROPERTY, Expiry, is_collectable, what_expires
from lakehouse_site.errors import LakehouseError

MAX_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class Expired:
    """What left a table, or would.

    Attributes
    ----------
    snapshots, refs
        Ids of snapshots; names of branches and tags.
    skipped
        Why nothing was done; empty if something was.
    """

    table: str
    snapshots: Sequence[int] = ()
    refs: Sequence[str] = ()
    skipped: str = ""
    removal: Removal = field(default_factory=Removal)


def expire_snapshots(
    *,
    relation: Relation,
    older_than: timedelta | None = None,
    keep: int | None = None,
    grace: timedelta = GRACE,
    is_dry_run: bool = False,
    caller: Caller,
) -> Expired:
    """Remove the snapshots, branches and tags of a table that may go, and then the files that only they needed.

    Parameters
    ----------
    older_than, keep
        As `retention.what_expires` takes them; None: the table's own rules.
    grace
        Files changed within this time stay.

    Raises
    ------
    CommitFailed
        The table kept changing. Nothing was removed.
    NotGranted, NoSuchTable
        Nothing was removed.
    """
    age_ms = None if older_than is None else int(older_than.total_seconds() * 1000)
    place = {"warehouse": relation.namespace.warehouse, "levels": relation.namespace.levels, "name": relation.name}
    for _ in range(MAX_ATTEMPTS):
        standing = find_table(**place, caller=caller)
        metadata = orjson.loads(standing.metadata_text)
        if not is_collectable(metadata):
            return Expired(str(standing), skipped=f"Its property {COLLECTION_PROPERTY} is false.")
        expiry = what_expires(metadata, now_ms=now_ms(), max_age_ms=age_ms, min_kept=keep)
        try:
            if not is_dry_run:
                _commit(standing, expiry, caller)
        except CommitFailed:
            continue
        return Expired(
            str(standing),
            expiry.snapshot_ids,
            expiry.refs,
            removal=_remove_files(standing, metadata, expiry, grace=grace, is_dry_run=is_dry_run),
        )
    raise CommitFailed(f"{relation} kept changing while {MAX_ATTEMPTS} attempts were made. Try again.")


def _commit(standing: Relation, expiry: Expiry, caller: Caller) -> None:
    updates: list[Mapping[str, Any]] = [{"action": "remove-snapshot-ref", "ref-name": name} for name in expiry.refs]
    if expiry.snapshot_ids:
        updates.append({"action": "remove-snapshots", "snapshot-ids": list(expiry.snapshot_ids)})
    if not updates:
        return
    same = [{"type": "assert-table-uuid", "uuid": str(standing.uuid)}]
    # With its version: a tag that somebody has just put on one of these snapshots must not go unseen.
    change = TableChange(standing.namespace.levels, standing.name, same, updates, at_version=standing.version)
    commit_tables(warehouse=standing.namespace.warehouse, changes=[change], caller=caller, action="expire")


def _remove_files(
    relation: Relation, metadata: Mapping[str, Any], expiry: Expiry, *, grace: timedelta, is_dry_run: bool
) -> Removal:
    warehouse = relation.namespace.warehouse
    gone = set(expiry.snapshot_ids)
    kept = {**metadata, "snapshots": [one for one in metadata.get("snapshots") or () if one["snapshot-id"] not in gone]}
    for name in ("statistics", "partition-statistics"):
        kept[name] = [one for one in metadata.get(name) or () if one.get("snapshot-id") not in gone]
    try:
        lost = [one.location for one in files_of(warehouse, metadata, snapshot_ids=gone)]
        places = within(warehouse, relation.location, [*lost, *_old_metadata_files(relation)])
        if places:
            needed = {place_of(warehouse, one.location) for one in files_of(warehouse, kept)}
            places -= needed | {place_of(warehouse, relation.metadata_location)}
    except LakehouseError as error:
        detail = f"No file was deleted, as it is not known what the table needs: {error.detail}"
        return Removal(errors=[detail])
    return remove_unneeded(
        warehouse=warehouse,
        folder=relation.location,
        places=places,
        grace=grace,
        is_dry_run=is_dry_run,
        # It has been asked already; and if somebody has committed since, again.
        spared=relation.pk if is_dry_run else None,
    )


def _old_metadata_files(relation: Relation) -> list[str]:
    """Return metadata files of earlier commits; those that `metadata-log` still names are taken out with the needed."""
    earlier = relation.commits.filter(version__lt=relation.version)
    return list(earlier.values_list("metadata_location", flat=True).distinct())


def tables_to_expire(*, names: Sequence[tuple[Sequence[str], str]], warehouse: Any, caller: Caller) -> list[Relation]:
    """Return the named tables, or all of a warehouse.

    Raises
    ------
    NoSuchTable, NotGranted
        One of them is not there; the caller may not read it.
    """
    if names:
        return [find_table(warehouse=warehouse, levels=levels, name=name, caller=caller) for levels, name in names]
    rows = Relation.objects.filter(namespace__warehouse=warehouse, kind=TABLE, deleted_at=None)
    return list(rows.select_related("namespace__warehouse").defer("metadata_text").order_by("namespace__path", "name"))
