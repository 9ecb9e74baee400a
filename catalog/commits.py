"""Commits: what clients want changed, applied to what stands, over several tables at once or not at all."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from catalog import grants
from catalog.callers import Caller
from catalog.errors import BadCatalogRequest, CommitFailed
from catalog.models import Relation, Warehouse
from catalog.names import check_name, dotted
from catalog.new_snapshots import check_new_places
from catalog.places import own_place, wanted_place
from catalog.relation_writes import TABLE, Change, Overtaken, store
from catalog.relations import look_up, missing, namespace_for, now_ms
from catalog.requirements import check_requirements
from catalog.table_metadata import empty_table_metadata, requested_format_version
from catalog.table_updates import apply_updates, finish_metadata
from catalog.warehouse_files import make_folders

MAX_ATTEMPTS: Final = 4
_FIRST_WAIT_SECONDS = 0.02
_ASSERT_CREATE = "assert-create"


@dataclass(frozen=True, slots=True)
class TableChange:
    """What is wanted of one table: the protocol's requirements, and the updates to make if they hold.

    With `at_version` the table must not have changed in any way since it was read.
    """

    levels: Sequence[str]
    name: str
    requirements: Sequence[Mapping[str, Any]]
    updates: Sequence[Mapping[str, Any]]
    at_version: int | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """One table's part of a commit: the row that stands, and the change to make; None if nothing changes."""

    standing: Relation | None
    change: Change | None


def commit_tables(
    *, warehouse: Warehouse, changes: Sequence[TableChange], caller: Caller, action: str = "commit"
) -> list[Relation]:
    """Commit to tables, to all or to none, and return them in the order of `changes`.

    Another commit that comes in between is no failure as long as the requirements still hold: then it is tried again.

    Raises
    ------
    CommitFailed
        A requirement does not hold, or others were faster four times: the client has to load and try again.
    CommitStateUnknown
        Nobody knows whether it was committed.
    NotGranted, NoSuchTable, NoSuchNamespace, BadCatalogRequest, OutsideWarehouse
        Nothing was changed.
    """
    wanted = [_checked(change) for change in changes]
    for change in wanted:
        grants.require(caller=caller, warehouse=warehouse, levels=change.levels, privilege=grants.WRITE)
    if len({(tuple(change.levels), change.name) for change in wanted}) < len(wanted):
        raise BadCatalogRequest("Invalid commit: a table is named twice. Put all of its updates into one change.")
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            time.sleep(_FIRST_WAIT_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311  jitter
        plans = [_plan(warehouse, change, caller, action) for change in wanted]
        try:
            return _store(plans, warehouse, caller)
        except Overtaken:
            continue
    names = ", ".join(dotted(change.levels, change.name) for change in wanted)
    raise CommitFailed(f"Commit failed: {names} kept changing while it was tried {MAX_ATTEMPTS} times.")


def _checked(change: TableChange) -> TableChange:
    if not _is_list_of_objects(change.requirements):
        raise BadCatalogRequest("Invalid requirements: they must be a list of objects.", pointer="/requirements")
    if not _is_list_of_objects(change.updates):
        raise BadCatalogRequest("Invalid updates: they must be a list of objects.", pointer="/updates")
    return change


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, Mapping) for one in value)


def _plan(warehouse: Warehouse, wanted: TableChange, caller: Caller, action: str) -> _Plan:
    standing = look_up(warehouse, wanted.levels, wanted.name, TABLE)
    is_create = any(one.get("type") == _ASSERT_CREATE for one in wanted.requirements)
    if standing is None and is_create:
        check_requirements(None, wanted.requirements)
        return _Plan(None, _creation(warehouse, wanted, caller))
    if standing is None:
        raise missing(TABLE, wanted.levels, wanted.name)
    if wanted.at_version not in (None, standing.version):
        raise CommitFailed(f"Commit failed: {dotted(wanted.levels, wanted.name)} has changed since it was read.")
    before = orjson.loads(standing.metadata_text)
    check_requirements(before, wanted.requirements)
    updates = _with_places(warehouse, wanted.updates, standing.location)
    moment = now_ms()
    after = apply_updates(before, updates, now_ms=moment)
    if after == before:
        return _Plan(standing, None)
    after = finish_metadata(before, after, old_location=standing.metadata_location, now_ms=moment)
    own_folders = [standing.location, after["location"]]
    check_new_places(warehouse=warehouse, metadata=after, before=before, own_folders=own_folders, caller=caller)
    return _Plan(
        standing,
        Change(
            standing.namespace, standing.name, TABLE, standing, after, action, _names(updates),
            is_place_chosen=after["location"] != before["location"],
        ),
    )  # fmt: skip


def _creation(warehouse: Warehouse, wanted: TableChange, caller: Caller) -> Change:
    """Return the change that makes a table which a client has put together by itself, or has staged."""
    others = [one.get("type") for one in wanted.requirements if one.get("type") != _ASSERT_CREATE]
    if others:
        raise BadCatalogRequest(f"Invalid create requirements: {others}", pointer="/requirements")
    name = check_name(wanted.name, what="table name")
    namespace = namespace_for(warehouse=warehouse, levels=wanted.levels, name=name, kind=TABLE, caller=caller)
    sent_uuid = _sent_uuid(wanted.updates)
    table_uuid = sent_uuid or str(uuid.uuid4())
    own = own_place(namespace, name, table_uuid)
    updates = _with_places(warehouse, wanted.updates, own)
    moment = now_ms()
    empty = empty_table_metadata(
        table_uuid=table_uuid, location=own, format_version=requested_format_version(updates), now_ms=moment
    )
    metadata = apply_updates(empty, updates, now_ms=moment)
    if not metadata.get("schemas"):
        raise BadCatalogRequest("Invalid create: the updates add no schema.", pointer="/updates")
    metadata = finish_metadata(None, metadata, old_location=None, now_ms=moment)
    own_folders = [metadata["location"]]
    check_new_places(warehouse=warehouse, metadata=metadata, before=None, own_folders=own_folders, caller=caller)
    make_folders(warehouse, metadata["location"])
    # Our own place is made of the uuid: who sends that of another table would get its place.
    is_chosen = sent_uuid is not None or metadata["location"] != own
    return Change(namespace, name, TABLE, None, metadata, "create", _names(updates), is_place_chosen=is_chosen)


def _sent_uuid(updates: Sequence[Mapping[str, Any]]) -> str | None:
    sent = next((one.get("uuid") for one in updates if one.get("action") == "assign-uuid"), None)
    if sent is None:
        return None
    try:
        return str(uuid.UUID(sent))
    except (ValueError, TypeError, AttributeError):
        raise BadCatalogRequest(f"Invalid UUID: {sent!r}", pointer="/updates") from None


def _with_places(warehouse: Warehouse, updates: Sequence[Mapping[str, Any]], own: str) -> list[Mapping[str, Any]]:
    """Return the updates with the locations a table may move to; where a client's means nothing, ours stands."""
    found: list[Mapping[str, Any]] = []
    for update in updates:
        if update.get("action") == "set-location":
            place = wanted_place(warehouse, update.get("location"))
            found.append({**update, "location": place or own})
        else:
            found.append(update)
    return found


def _names(updates: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(update.get("action")) for update in updates]


def _store(plans: Sequence[_Plan], warehouse: Warehouse, caller: Caller) -> list[Relation]:
    changes = [plan.change for plan in plans if plan.change is not None]
    if not changes:
        return [plan.standing for plan in plans if plan.standing is not None]
    merge = _merged(plans)
    return merge(store(changes, warehouse=warehouse, caller=caller, result=merge))


def _merged(plans: Sequence[_Plan]) -> Callable[[list[Relation]], list[Relation]]:
    """Return what puts the rows that stand between those that were written."""

    def merge(rows: list[Relation]) -> list[Relation]:
        written = iter(rows)
        return [plan.standing if plan.change is None and plan.standing else next(written) for plan in plans]

    return merge


def rollback(*, warehouse: Warehouse, levels: Sequence[str], name: str, snapshot_id: int, caller: Caller) -> Relation:
    """Make an earlier snapshot of a table the current one; the snapshots after it stay.

    Raises
    ------
    NoSuchTable, NotGranted, BadCatalogRequest
        There is no such table; the caller may not; the table has no such snapshot.
    """
    update = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot_id}
    change = TableChange(levels, name, (), [update])
    return commit_tables(warehouse=warehouse, changes=[change], caller=caller, action="rollback")[0]
