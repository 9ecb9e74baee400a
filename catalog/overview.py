"""What pages show of the catalog as a whole, and of one table beyond its row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import orjson
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from catalog.datasets import schema_of
from catalog.models import Commit, QueryRun, Relation
from catalog.partitioning import UNSORTED
from catalog.schema_rows import SchemaRow, schema_rows
from catalog.table_parts import refs_of, sort_orders_of, specs_of

FAILED_AGE: Final = timedelta(days=1)
# A query that is refused is a matter between it and who wrote it.
FAILED: Final = ("failed", "timeout", "too_large")


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """The catalog in a few numbers; `failed_queries` within a day, the latest first."""

    tables: int
    views: int
    dropped: int
    rows: int
    size_bytes: int
    last_commit: Commit | None
    failed_queries: QuerySet[QueryRun]


def catalog_facts() -> CatalogFacts:
    """Return the catalog in a few numbers."""
    living = Q(deleted_at=None)
    found: Mapping[str, Any] = Relation.objects.aggregate(
        tables=Count("pk", filter=living & Q(kind=Relation.Kind.TABLE)),
        views=Count("pk", filter=living & Q(kind=Relation.Kind.VIEW)),
        dropped=Count("pk", filter=~living),
        rows=Sum("row_count", filter=living),
        size_bytes=Sum("size_bytes", filter=living),
    )
    failed = QueryRun.objects.filter(status__in=FAILED, created_at__gte=timezone.now() - FAILED_AGE)
    return CatalogFacts(
        tables=found["tables"],
        views=found["views"],
        dropped=found["dropped"],
        rows=found["rows"] or 0,
        size_bytes=found["size_bytes"] or 0,
        last_commit=Commit.objects.select_related("relation__namespace").order_by("-pk").first(),
        failed_queries=failed.order_by("-created_at"),
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table or view is laid out.

    Attributes
    ----------
    partitioning, sorting
        A line for each field: the transform and the column.
    properties
        By name, in order.
    """

    rows: list[SchemaRow]
    partitioning: list[str]
    sorting: list[str]
    properties: dict[str, str]
    view_sql: list[tuple[str, str]]


def shape_of(relation: Relation) -> Shape:
    """Return how a table or view is laid out."""
    metadata = orjson.loads(relation.metadata_text)
    rows = schema_rows(schema_of(relation))
    names = {row.field_id: row.name for row in rows}
    spec = _of_id(specs_of(metadata), "spec-id", metadata.get("default-spec-id"))
    order = _of_id(sort_orders_of(metadata) or [UNSORTED], "order-id", metadata.get("default-sort-order-id"))
    is_table = relation.kind == Relation.Kind.TABLE
    return Shape(
        rows=rows,
        partitioning=[_field(one, names) for one in spec.get("fields", ())] if is_table else [],
        sorting=[
            f"{_field(one, names)} {one.get('direction', '')}, {one.get('null-order', '')}"
            for one in order.get("fields", ())
        ] if is_table else [],
        properties=dict(sorted((metadata.get("properties") or {}).items())),
        view_sql=[] if is_table else _sql_of(metadata),
    )  # fmt: skip


def _of_id(parts: list[dict[str, Any]], name: str, wanted: int | None) -> dict[str, Any]:
    return next((one for one in parts if one.get(name) == (wanted or 0)), {})


def _field(part: Mapping[str, Any], names: Mapping[int, str]) -> str:
    sources = [part["source-id"]] if "source-id" in part else part.get("source-ids") or []
    columns = ", ".join(names.get(one, f"field {one}") for one in sources)
    transform = part.get("transform")
    return columns if transform == "identity" else f"{transform} of {columns}"


def _sql_of(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    wanted = metadata["current-version-id"]
    version = next(one for one in metadata["versions"] if one["version-id"] == wanted)
    return [(one.get("dialect", ""), one.get("sql", "")) for one in version["representations"]]


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch or tag, and its own rules for what expires."""

    name: str
    kind: str
    snapshot_id: int
    rules: tuple[str, ...]


def refs_in(relation: Relation) -> list[Ref]:
    """Return the branches and tags of a table."""
    rules = ("min-snapshots-to-keep", "max-snapshot-age-ms", "max-ref-age-ms")
    return [
        Ref(name, ref["type"], ref["snapshot-id"], tuple(f"{rule} {ref[rule]}" for rule in rules if rule in ref))
        for name, ref in sorted(refs_of(orjson.loads(relation.metadata_text)).items())
    ]
