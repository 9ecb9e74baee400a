"""Tables as people look at them: what there is, what is in it, and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import QuerySet

from catalog import grants
from catalog.callers import Caller
from catalog.errors import NoSuchTable
from catalog.models import Namespace, Relation, Warehouse
from catalog.names import dotted, path_of
from catalog.table_parts import current_schema, current_snapshot_id


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """A snapshot: when it was made, by which operation, and what its summary says."""

    snapshot_id: int
    parent_snapshot_id: int | None
    committed_at_ms: int
    operation: str
    is_current: bool
    summary: Mapping[str, str]


def list_datasets(
    *, warehouse: Warehouse, levels: Sequence[str] = (), is_dropped: bool = False, caller: Caller
) -> QuerySet[Relation]:
    """Return the tables and views that the caller may read, without their metadata, by namespace and name.

    Parameters
    ----------
    levels
        Only those of this namespace.
    is_dropped
        Those that can be undropped instead of the living ones.
    """
    spaces = Namespace.objects.filter(warehouse=warehouse)
    if levels:
        spaces = spaces.filter(path=path_of(levels))
    rows = Relation.objects.filter(namespace__warehouse=warehouse, deleted_at__isnull=not is_dropped)
    if levels or not caller.is_admin:
        readable = grants.visible(caller=caller, warehouse=warehouse, namespaces=spaces)
        rows = rows.filter(namespace__in=[space.pk for space in readable])
    return rows.select_related("namespace").defer("metadata_text").order_by("namespace__path", "name", "pk")


def find_dropped(*, warehouse: Warehouse, levels: Sequence[str], name: str, caller: Caller) -> Relation:
    """Return the table or view of this name that was dropped last.

    Raises
    ------
    NotGranted, NoSuchTable
        The caller may not read it; none was dropped.
    """
    grants.require(caller=caller, warehouse=warehouse, levels=levels, privilege=grants.READ)
    rows = Relation.objects.filter(namespace__warehouse=warehouse, namespace__path=path_of(levels), name=name)
    found = rows.exclude(deleted_at=None).order_by("-deleted_at", "-pk").first()
    if found is None:
        raise NoSuchTable(f"No table of the name {dotted(levels, name)} was dropped.")
    return found


def schema_of(table: Relation) -> dict[str, Any]:
    """Return the current schema of a table or view as its metadata has it."""
    metadata = orjson.loads(table.metadata_text)
    if table.kind == Relation.Kind.TABLE:
        return dict(current_schema(metadata))
    versions = {one["version-id"]: one for one in metadata["versions"]}
    wanted = versions[metadata["current-version-id"]]["schema-id"]
    return next(dict(one) for one in metadata["schemas"] if one["schema-id"] == wanted)


def snapshots_of(table: Relation) -> list[SnapshotFacts]:
    """Return the snapshots of a table, the newest first."""
    metadata = orjson.loads(table.metadata_text)
    current = current_snapshot_id(metadata)
    found = [_facts(one, current) for one in metadata.get("snapshots") or ()]
    return sorted(found, key=lambda one: one.committed_at_ms, reverse=True)


def _facts(snapshot: Mapping[str, Any], current: int | None) -> SnapshotFacts:
    summary = dict(snapshot.get("summary") or {})
    return SnapshotFacts(
        snapshot_id=snapshot["snapshot-id"],
        parent_snapshot_id=snapshot.get("parent-snapshot-id"),
        committed_at_ms=snapshot["timestamp-ms"],
        operation=str(summary.pop("operation", "")),
        is_current=snapshot["snapshot-id"] == current,
        summary=summary,
    )
