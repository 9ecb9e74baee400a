"""What must hold among the rows of the catalog, whatever the files say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import orjson
from django.db.models import Count, F, Max, Min
from django.utils import timezone

from catalog.ingest_record import CONTENT_KEY
from catalog.models import IngestRun, Relation, Warehouse
from catalog.names import path_of
from catalog.relation_writes import TABLE

UNRECORDED_AGE: Final = timedelta(hours=1)
"""An ingest writes its record right after its commit; a snapshot that has none for longer never gets one."""

_DATABASE = "The database was changed by hand, or its backup is of another time than that of the files."


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with what, and what to do about it.

    Attributes
    ----------
    subject
        The table or view.
    kind
        `metadata`, `files`, `place`, `row`, `history` or `ingest`.
    """

    subject: str
    kind: str
    detail: str
    remedy: str


def faults_of_rows(warehouse: Warehouse) -> list[Fault]:
    """Return what is wrong with the rows of a warehouse."""
    return [*_names(warehouse), *_histories(warehouse), *_ingests(warehouse)]


def _names(warehouse: Warehouse) -> Iterator[Fault]:
    rows = Relation.objects.filter(namespace__warehouse=warehouse, deleted_at=None).select_related("namespace")
    for row in rows.exclude(namespace__deleted_at=None).defer("metadata_text"):
        detail = f"It lives in the namespace {row.namespace}, which is dropped."
        yield Fault(str(row), "row", detail, f"{_DATABASE} Drop and undrop the table: that brings its namespace back.")
    for space in warehouse.namespaces.all():
        if space.path != path_of(space.levels):
            yield Fault(str(space), "row", f"Its path is {space.path!r}, its levels are {space.levels}.", _DATABASE)


def _histories(warehouse: Warehouse) -> Iterator[Fault]:
    """The commits of each table count from 0 to its version, and the last one is what stands."""
    rows = Relation.objects.filter(namespace__warehouse=warehouse).select_related("namespace").defer("metadata_text")
    counted = rows.annotate(
        first=Min("commits__version"), last=Max("commits__version"), number=Count("commits__version")
    )
    # Read again one by one: between the two looks somebody may have committed.
    wrong = counted.exclude(first=0, last=F("version"), number=F("version") + 1)
    for row in wrong:
        again = counted.filter(pk=row.pk).first()
        if again is None or (again.first, again.last, again.number) == (0, again.version, again.version + 1):
            continue
        detail = (
            f"It is at version {again.version}; its history has {again.number} commits, {again.first} to {again.last}."
        )
        yield Fault(str(row), "history", detail, _DATABASE)


def _ingests(warehouse: Warehouse) -> Iterator[Fault]:
    runs = {}
    for run in IngestRun.objects.filter(relation__namespace__warehouse=warehouse):
        runs[run.content_key] = run
    rows = Relation.objects.filter(namespace__warehouse=warehouse, kind=TABLE, deleted_at=None)
    limit_ms = (timezone.now() - UNRECORDED_AGE).timestamp() * 1000
    for row in rows.select_related("namespace").iterator(chunk_size=20):
        snapshots = {one["snapshot-id"]: one for one in orjson.loads(row.metadata_text).get("snapshots") or ()}
        keys = {number: (one.get("summary") or {}).get(CONTENT_KEY) for number, one in snapshots.items()}
        for number, key in keys.items():
            if key and key not in runs and snapshots[number]["timestamp-ms"] < limit_ms:
                detail = f"Snapshot {number} comes from a file of which there is no record."
                yield Fault(str(row), "ingest", detail, "Send the file again: it is recorded and not taken twice.")
        for run in runs.values():
            if run.relation_id == row.pk and keys.get(run.snapshot_id, run.content_key) != run.content_key:
                detail = (
                    f"The record of {run.source} names snapshot {run.snapshot_id}, which comes from something else."
                )
                yield Fault(str(row), "ingest", detail, _DATABASE)
