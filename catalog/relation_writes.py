"""Moving tables and views on: first their metadata files, then their rows, all of them or none.

A row is what counts. A metadata file that was written and that no row names is removed, but only when it is certain
that the rows were not written: a file too many does no harm, one too few is a lost table.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import Error, IntegrityError
from django.utils import timezone

from catalog.callers import Caller
from catalog.errors import AnsweredMeanwhile, BadCatalogRequest, CommitStateUnknown
from catalog.locations import confine
from catalog.models import Commit, Namespace, Relation, Warehouse
from catalog.namespaces import lock_namespace
from catalog.places import require_free_place
from catalog.recorded import write
from catalog.summaries import facts_of
from catalog.warehouse_files import MAX_READ_BYTES, delete_file, write_new_file
from lakehouse_site.errors import DatabaseUnavailable, LakehouseError

logger = logging.getLogger(__name__)

# Of one commit: a client may send 100,000.
MAX_NOTED_UPDATES = 1000

TABLE = Relation.Kind.TABLE.value
VIEW = Relation.Kind.VIEW.value


def the_only(rows: list[Relation]) -> Relation:
    """Return the row of a change that is alone; a `result` for `store`."""
    return rows[0]


class Overtaken(Exception):
    """Somebody else was faster; nothing was written."""


@dataclass(frozen=True, slots=True)
class Change:
    """A table or view as it shall be.

    Attributes
    ----------
    before
        The row as it was read; None for one that is new.
    metadata_location
        Of a file that is there already; a new one is written when it is not given.
    is_place_chosen
        A client has chosen the location, so that it might be somebody else's.
    """

    namespace: Namespace
    name: str
    kind: str
    before: Relation | None
    metadata: Mapping[str, Any]
    action: str
    updates: Sequence[str] = ()
    metadata_location: str | None = None
    is_place_chosen: bool = False


@dataclass(frozen=True, slots=True)
class _Draft:
    change: Change
    row: Relation


def store(
    changes: Sequence[Change],
    *,
    warehouse: Warehouse,
    caller: Caller,
    result: Callable[[list[Relation]], Any] | None = None,
) -> list[Relation]:
    """Write the files and then, in one transaction, the rows and the audit; return the rows in the order of `changes`.

    Parameters
    ----------
    result
        What is handed to the caller's keyed request to make the stored answer of; the rows, unless it is given.

    Raises
    ------
    Overtaken
        A row has changed since it was read, or a name was taken.
    CommitStateUnknown
        The database failed while it committed. Nothing was removed.
    """
    drafts = [_Draft(change, _row(change, warehouse)) for change in changes]
    written: list[str] = []
    try:
        for draft in drafts:
            if draft.change.metadata_location is None:
                written.append(draft.row.metadata_location)
                write_new_file(warehouse, draft.row.metadata_location, draft.row.metadata_text.encode())
        return _write_rows(drafts, warehouse, caller, result)
    except CommitStateUnknown:
        raise
    except Exception:
        _remove(warehouse, written)
        raise


def _row(change: Change, warehouse: Warehouse) -> Relation:
    """Return the row as it shall be, not saved."""
    metadata, before = change.metadata, change.before
    version = before.version + 1 if before is not None else 0
    facts = facts_of(metadata) if change.kind == TABLE else None
    location = confine(metadata["location"], root=warehouse.root)  # metadata of others may write it in another way
    return Relation(
        pk=before.pk if before is not None else None,
        namespace=change.namespace,
        name=change.name,
        kind=change.kind,
        uuid=uuid.UUID(metadata["table-uuid" if change.kind == TABLE else "view-uuid"]),
        version=version,
        location=location,
        metadata_location=change.metadata_location or f"{location}/metadata/{version:05d}-{uuid.uuid4()}.metadata.json",
        metadata_text=_text(metadata),
        format_version=metadata["format-version"],
        current_snapshot_id=facts.current_snapshot_id if facts else None,
        row_count=facts.row_count if facts else None,
        size_bytes=facts.size_bytes if facts else None,
        schema_fingerprint=facts.schema_fingerprint if facts else "",
        created_at=before.created_at if before is not None else timezone.now(),
    )


def _text(metadata: Mapping[str, Any]) -> str:
    data = orjson.dumps(metadata)
    if len(data) > MAX_READ_BYTES:  # nobody could check or register it again
        raise BadCatalogRequest(
            f"The metadata would have {len(data)} bytes; {MAX_READ_BYTES} are the most. Expire snapshots, or remove "
            "properties and schemas that nothing needs."
        )
    return data.decode()


def _write_rows(
    drafts: list[_Draft], warehouse: Warehouse, caller: Caller, result: Callable[[list[Relation]], Any] | None
) -> list[Relation]:
    has_ended = False

    def work() -> Any:
        nonlocal has_ended
        has_ended = False
        # Always in the same order, so that two commits over the same tables cannot wait for each other.
        for draft in sorted(drafts, key=_order):
            _write_row(draft, warehouse, caller)
        has_ended = True
        rows = [draft.row for draft in drafts]
        return rows if result is None else result(rows)

    try:
        write(work, caller=caller)
    except AnsweredMeanwhile:
        raise
    except IntegrityError as error:  # the whole transaction is taken back: a name or a version was taken
        raise Overtaken from error
    except (DatabaseUnavailable, Error) as error:
        if not has_ended:
            raise
        _look_whether_it_stands(drafts, error)
    return [draft.row for draft in drafts]


def _order(draft: _Draft) -> tuple[bool, int, str]:
    before = draft.change.before
    return before is None, before.pk if before is not None else draft.change.namespace.pk, draft.row.name


def _write_row(draft: _Draft, warehouse: Warehouse, caller: Caller) -> None:
    row, before = draft.row, draft.change.before
    if draft.change.is_place_chosen:
        require_free_place(warehouse, row.location, other_than=before.pk if before is not None else None)
    if before is None:
        row.namespace = lock_namespace(warehouse, draft.change.namespace.levels)
        row.pk = None  # of a try that was taken back
        row.save(force_insert=True)
    else:
        row.updated_at = timezone.now()
        names = [field.name for field in Relation._meta.concrete_fields if field.name not in _FIXED]
        stood = Relation.objects.filter(
            pk=row.pk, version=before.version, metadata_location=before.metadata_location, deleted_at=None
        )
        if not stood.update(**{name: getattr(row, name) for name in names}):
            raise Overtaken
    record(row, action=draft.change.action, updates=draft.change.updates, caller=caller)


_FIXED = frozenset(("id", "namespace", "name", "kind", "created_at", "deleted_at", "is_purge_requested"))


def record(row: Relation, *, action: str, caller: Caller, updates: Sequence[str] = ()) -> None:
    """Write down, in the transaction that did it, what happened to a table or view."""
    Commit.objects.create(
        relation=row,
        version=row.version,
        action=action,
        updates=list(updates[:MAX_NOTED_UPDATES]),
        metadata_location=row.metadata_location,
        snapshot_id=row.current_snapshot_id,
        row_count=row.row_count,
        size_bytes=row.size_bytes,
        principal=caller.principal,
        request_id=caller.request_id[:64],
    )


def _look_whether_it_stands(drafts: list[_Draft], error: Exception) -> None:
    row = drafts[0].row
    try:
        # By the audit and not by the row, which somebody else may have moved on since. One transaction: one is all.
        stands = Commit.objects.filter(
            relation__uuid=row.uuid, version=row.version, metadata_location=row.metadata_location
        ).exists()
    except Error:
        stands = False
    if not stands:
        raise CommitStateUnknown(
            "The database failed while it committed. The change may or may not have been made: "
            "load the table and look before you try again."
        ) from error


def _remove(warehouse: Warehouse, locations: Sequence[str]) -> None:
    for location in locations:
        try:
            delete_file(warehouse, location)
        except LakehouseError as error:
            logger.warning("metadata file left behind", extra={"location": location, "detail": error.detail})
