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
from catalog.models import Relation, Warehouse
from catalog.reachability import files_of
from catalog.relation_writes import TABLE
from catalog.relations import find_table, now_ms
from catalog.removals import GRACE, Candidates, Removal, remove_unneeded, within
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


@dataclass(frozen=True, slots=True)
class _Done:
    """A table's part of a run: the row as it stood, what it would be, and which files may have lost their use."""

    expired: Expired
    relation: Relation | None = None
    kept_text: str = ""
    places: set[str] = field(default_factory=set)


def expire_tables(
    *,
    relations: Sequence[Relation],
    older_than: timedelta | None = None,
    keep: int | None = None,
    grace: timedelta = GRACE,
    is_dry_run: bool = False,
    caller: Caller,
) -> tuple[list[Expired], list[str]]:
    """Remove the snapshots, branches and tags of tables that may go, and then the files that only they needed.

    Parameters
    ----------
    relations
        Of one warehouse. One that fails keeps no other.
    older_than, keep
        As `retention.what_expires` takes them; None: the table's own rules.
    grace
        Files changed within this time stay.

    Returns
    -------
    list of Expired, list of str
        What was done; a line for each table that failed, which is as it was.
    """
    age_ms = None if older_than is None else int(older_than.total_seconds() * 1000)
    done: list[_Done] = []
    failures: list[str] = []
    for relation in relations:
        try:
            done.append(_expire(relation, age_ms, keep, is_dry_run, caller))
        except LakehouseError as error:
            failures.append(f"{relation}: {error.detail}")
    changed = [one for one in done if one.relation is not None]
    if changed:
        removals = remove_unneeded(
            warehouse=relations[0].namespace.warehouse,
            candidates=[Candidates(one.relation.location, one.places) for one in changed if one.relation is not None],
            grace=grace,
            is_dry_run=is_dry_run,
            as_if={one.relation.pk: one.kept_text for one in changed if one.relation is not None and is_dry_run},
        )
        for one, removal in zip(changed, removals, strict=True):
            one.expired.removal.take(removal)
    return [one.expired for one in done], failures


def _expire(relation: Relation, age_ms: int | None, keep: int | None, is_dry_run: bool, caller: Caller) -> _Done:
    warehouse, levels = relation.namespace.warehouse, relation.namespace.levels
    for _ in range(MAX_ATTEMPTS):
        standing = find_table(warehouse=warehouse, levels=levels, name=relation.name, caller=caller)
        metadata = orjson.loads(standing.metadata_text)
        if not is_collectable(metadata):
            return _Done(Expired(str(standing), skipped=f"Its property {COLLECTION_PROPERTY} is false."))
        expiry = what_expires(metadata, now_ms=now_ms(), max_age_ms=age_ms, min_kept=keep)
        try:
            if not is_dry_run:
                _commit(standing, expiry, caller)
        except CommitFailed:
            continue
        result = Expired(str(standing), expiry.snapshot_ids, expiry.refs)
        try:
            lost = [one.location for one in files_of(warehouse, metadata, snapshot_ids=set(expiry.snapshot_ids))]
        except LakehouseError as error:
            result.removal.errors.append(f"No file was deleted, as it is not known what it needed: {error.detail}")
            return _Done(result)
        places = within(warehouse, standing.location, [*lost, *_old_metadata_files(standing)])
        return _Done(result, standing, orjson.dumps(_without(metadata, expiry)).decode(), places)
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


def _without(metadata: Mapping[str, Any], expiry: Expiry) -> dict[str, Any]:
    """Return what the files are that metadata would still lead to."""
    gone = set(expiry.snapshot_ids)
    names = ("snapshots", "statistics", "partition-statistics")
    kept = {name: [one for one in metadata.get(name) or () if one.get("snapshot-id") not in gone] for name in names}
    return {**metadata, **kept}


def _old_metadata_files(relation: Relation) -> list[str]:
    """Return metadata files of earlier commits; those that `metadata-log` still names are taken out with the needed."""
    earlier = relation.commits.filter(version__lt=relation.version)
    return list(earlier.values_list("metadata_location", flat=True).distinct())


def find_tables(
    *, names: Sequence[tuple[tuple[str, ...], str]], warehouse: Warehouse, caller: Caller
) -> list[Relation]:
    """Return the named tables, or all of a warehouse.

    Raises
    ------
    NoSuchTable, NotGranted
        One of them is not there; the caller may not read it.
    """
    if names:
        return [
            find_table(warehouse=warehouse, levels=levels, name=name, caller=caller)
            for levels, name in dict.fromkeys(names)
        ]
    rows = Relation.objects.filter(namespace__warehouse=warehouse, kind=TABLE, deleted_at=None)
    return list(rows.select_related("namespace__warehouse").defer("metadata_text").order_by("namespace__path", "name"))
