"""The HTTP face of queries and previews: read the body, call the service, send the rows."""

from __future__ import annotations

from typing import ClassVar

from django.http import StreamingHttpResponse
from rest_framework.request import Request

from catalog.data_openapi import describes, describes_rows
from catalog.ingest_requests import parse_table
from catalog.ingest_views import DataView
from catalog.protocol.views import caller_of
from catalog.query import DEFAULT_LIMIT, MAX_LIMIT, QueryAnswer, preview, run_query
from catalog.query_answers import CONTENT_TYPES, Pieces, headers_of
from catalog.query_values import FORMATS
from catalog.relations import find_table
from catalog.warehouses import default_warehouse
from lakehouse_site.errors import InvalidInput
from vectors.fields import Fields

MAX_PREVIEW = 1_000


class QueryView(DataView):
    """Read-only SQL over the tables."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "read"}

    @describes_rows
    def post(self, request: Request) -> StreamingHttpResponse:
        fields = Fields(request.data, ("sql", "limit", "format"))
        sql = fields.text("sql")
        limit = fields.integer("limit", 1, MAX_LIMIT, DEFAULT_LIMIT)
        answer_format = fields.choice("format", FORMATS, "json")
        fields.check()
        answer = run_query(sql=sql, limit=limit, answer_format=answer_format, caller=caller_of(request))
        return _sent(answer, answer_format)


class PreviewView(DataView):
    """Some rows of a table."""

    @describes("dataset_preview")
    def get(self, request: Request, table: str) -> StreamingHttpResponse:
        place = parse_table(table)
        caller = caller_of(request)
        limit = _limit(request.query_params.get("limit", "100"))
        relation = find_table(warehouse=default_warehouse(), levels=place.levels, name=place.name, caller=caller)
        return _sent(preview(relation=relation, limit=limit, caller=caller), "json")


def _sent(answer: QueryAnswer, answer_format: str) -> StreamingHttpResponse:
    headers = headers_of(answer) if answer_format != "json" else {}
    # Closed with the response, also when nobody reads it.
    pieces = Pieces(answer, answer_format)
    return StreamingHttpResponse(pieces, content_type=CONTENT_TYPES[answer_format], headers=headers)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_PREVIEW):
        raise InvalidInput.at("?limit", "range", f"Expected a whole number from 1 to {MAX_PREVIEW}.")
    return int(text)
