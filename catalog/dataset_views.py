"""The HTTP face of datasets: tables and views, in the shape of the rest of the site."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import orjson
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import commits, datasets, relation_moves
from catalog.callers import Caller
from catalog.dataset_openapi import describes
from catalog.ingest_requests import TablePlace, parse_table
from catalog.ingest_views import DataView
from catalog.models import Relation
from catalog.names import check_levels
from catalog.protocol.views import caller_of
from catalog.relations import find_any
from catalog.warehouses import default_warehouse
from lakehouse_site.errors import InvalidInput
from lakehouse_site.pagination import Pages
from vectors.fields import Fields

_LAST_COMMITS = 20
_INT64 = 2**63 - 1


class DatasetsView(DataView):
    """The tables and views there are, or those that were dropped."""

    @describes("dataset_list")
    def get(self, request: Request) -> Response:
        namespace = request.query_params.get("namespace", "")
        found = datasets.list_datasets(
            warehouse=default_warehouse(),
            levels=check_levels(namespace.split(".")) if namespace else (),
            is_dropped=_boolean(request.query_params.get("dropped", "false"), "dropped"),
            caller=caller_of(request),
        )
        paginator = Pages()
        rows = paginator.paginate_queryset(found, request, view=self) or []
        return paginator.get_paginated_response([_dataset(row) for row in rows])


class DatasetView(DataView):
    """One table or view."""

    @describes("dataset_get")
    def get(self, request: Request, table: str) -> Response:
        row = _find(parse_table(table), caller_of(request))
        metadata = orjson.loads(row.metadata_text)
        last = [
            {
                "version": one.version,
                "action": one.action,
                "updates": one.updates,
                "principal": one.principal,
                "at": one.committed_at,
            }
            for one in row.commits.all()[:_LAST_COMMITS]
        ]
        return Response({**_dataset(row), "properties": metadata.get("properties", {}), "commits": last})


class SchemaView(DataView):
    """The current schema of a table or view."""

    @describes("dataset_schema")
    def get(self, request: Request, table: str) -> Response:
        return Response(datasets.schema_of(_find(parse_table(table), caller_of(request))))


class SnapshotsView(DataView):
    """The snapshots of a table."""

    @describes("dataset_snapshots")
    def get(self, request: Request, table: str) -> Response:
        found = datasets.snapshots_of(_find(parse_table(table), caller_of(request)))
        paginator = Pages()
        rows = paginator.paginate_queryset(found, request, view=self) or []
        return paginator.get_paginated_response([asdict(row) for row in rows])


class RollbackView(DataView):
    """An earlier snapshot becomes the current one."""

    @describes("dataset_rollback")
    def post(self, request: Request, table: str) -> Response:
        fields = Fields(request.data, ("snapshot_id",))
        snapshot_id = fields.integer("snapshot_id", 0, _INT64)
        fields.check()
        place = parse_table(table)
        row = commits.rollback(
            warehouse=default_warehouse(),
            levels=place.levels,
            name=place.name,
            snapshot_id=snapshot_id,
            caller=caller_of(request),
        )
        return Response(_dataset(row))


class UndropView(DataView):
    """A dropped table or view comes back."""

    @describes("dataset_undrop")
    def post(self, request: Request, table: str) -> Response:
        place, caller = parse_table(table), caller_of(request)
        dropped = datasets.find_dropped(
            warehouse=default_warehouse(), levels=place.levels, name=place.name, caller=caller
        )
        return Response(_dataset(relation_moves.undrop(relation_id=dropped.pk, caller=caller)))


def _find(place: TablePlace, caller: Caller) -> Relation:
    return find_any(warehouse=default_warehouse(), levels=place.levels, name=place.name, caller=caller)


def _dataset(row: Relation) -> dict[str, Any]:
    names = (
        "name", "kind", "uuid", "version", "format_version", "location", "metadata_location", "current_snapshot_id",
        "row_count", "size_bytes", "schema_fingerprint", "created_at", "updated_at", "deleted_at",
    )  # fmt: skip
    table = ".".join(_part(part) for part in (*row.namespace.levels, row.name))
    return {
        "table": table,
        "namespace": row.namespace.levels,
        **{name: getattr(row, name) for name in names},
        "links": _links(table, row),
    }


def _links(table: str, row: Relation) -> dict[str, str]:
    # A slash in a name does not survive most servers, encoded or not; the protocol reaches such a table.
    here = f"/v1/catalog/datasets/{quote(table, safe='')}"
    if row.deleted_at is not None:
        return {"undrop": f"{here}/undrop"}
    links = {"self": here, "schema": f"{here}/schema"}
    if row.kind == Relation.Kind.TABLE:
        links |= {name: f"{here}/{name}" for name in ("preview", "snapshots", "rollback")}
    return links


def _part(name: str) -> str:
    """Return a part of a dotted name, in double quotes where it could be misread."""
    return '"' + name.replace('"', '""') + '"' if "." in name or '"' in name else name


def _boolean(text: str, name: str) -> bool:
    if text not in ("true", "false"):
        raise InvalidInput.at(f"?{name}", "choice", "Expected true or false.")
    return text == "true"
