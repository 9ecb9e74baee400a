"""The pages of a table or view: its facts over time, its schema, its first rows."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat

from catalog.admin_pages.base import RelationBase, caller_of, show
from catalog.datasets import snapshots_of
from catalog.models import Relation
from catalog.overview import refs_in, shape_of
from catalog.pictures import growth
from catalog.purge import undrop_time
from catalog.query import preview
from catalog.query_answers import Pieces
from lakehouse_site.errors import LakehouseError

SHOWN_COMMITS = 60
SHOWN_SNAPSHOTS = 100
SHOWN_RUNS = 20
SHOWN_ROWS = 25
SHOWN_CHARACTERS = 200


def facts_page(model_admin: RelationBase, request: HttpRequest, relation: Relation) -> HttpResponse:
    """Everything that is known of a table or view, to look at."""
    is_table = relation.kind == Relation.Kind.TABLE
    commits = list(relation.commits.all()[:SHOWN_COMMITS])
    counted = [one for one in reversed(commits) if one.row_count is not None]
    sized = [one for one in reversed(commits) if one.size_bytes is not None]
    snapshots = snapshots_of(relation) if is_table else []
    return show(
        model_admin,
        request,
        relation,
        "facts",
        str(relation),
        commits=commits,
        rows=growth([(one.committed_at, one.row_count or 0) for one in counted], lambda number: f"{number:,}"),
        sizes=growth(
            [(one.committed_at, one.size_bytes or 0) for one in sized], lambda size: filesizeformat(size), base=1024
        ),
        snapshots=snapshots[:SHOWN_SNAPSHOTS],
        snapshot_count=len(snapshots),
        refs=refs_in(relation) if is_table else [],
        runs=relation.ingest_runs.all()[:SHOWN_RUNS],
        undrop_days=undrop_time().days,
    )


def schema_page(model_admin: RelationBase, request: HttpRequest, relation: Relation) -> HttpResponse:
    """How it is laid out."""
    return show(model_admin, request, relation, "schema", f"Schema of {relation}", shape=shape_of(relation))


def rows_page(model_admin: RelationBase, request: HttpRequest, relation: Relation) -> HttpResponse:
    """Its first rows, read as a query reads them: by a process of its own, with limits."""
    columns: list[str] = []
    rows: list[list[str]] = []
    fault = ""
    try:
        answer = preview(relation=relation, limit=SHOWN_ROWS, caller=caller_of(request))
        found = json.loads(b"".join(Pieces(answer, "json")))
    except LakehouseError as error:
        fault = error.detail
    else:
        columns = [column["name"] for column in found["columns"]]
        rows = [[_cell(value) for value in row] for row in found["rows"]]
    context = {"columns": columns, "rows": rows, "fault": fault, "limit": SHOWN_ROWS}
    return show(model_admin, request, relation, "rows", f"First rows of {relation}", **context)


def _cell(value: object) -> str:
    text = "–" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
