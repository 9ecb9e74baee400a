"""The HTTP face of exports: read the body, call one service, shape the answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

import orjson
from django.http import StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from distillation import eval_sets, export_reads, freezes
from distillation.eval_set_files import parse_eval_set
from distillation.export_openapi import FREEZE_FIELDS, describes, describes_file
from distillation.export_request import ATTEMPTS, DEFAULT_SPLIT, KINDS, EvalSetContent, ExportRequest, make_request
from distillation.exports import create_export, plan_export
from distillation.pipeline_types import Outcome
from distillation.row_files import FileType
from lakehouse_site.access.tokens import Caller
from lakehouse_site.errors import Fault, InvalidInput
from lakehouse_site.pagination import Pages
from vectors.fields import Fields


class ExportsView(APIView):
    """What a caller needs for each method; see `lakehouse_site.access.permissions`."""

    concerns_all_indexes = True
    required_scopes: ClassVar[dict[str, str]] = {"GET": "read", "POST": "write"}
    django_permissions: ClassVar[dict[str, str]] = {
        "read": "distillation.view_export",
        "write": "distillation.add_export",
        "admin": "distillation.delete_export",
    }
    pagination_class = Pages


class ExportListView(ExportsView):
    """Training sets; making one that is there already returns it."""

    @describes("export_list")
    def get(self, request: Request) -> Response:
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(export_reads.list_exports(), request, view=self) or []
        return paginator.get_paginated_response([asdict(export_reads.describe(export)) for export in page])

    @describes("export_create")
    def post(self, request: Request) -> Response:
        wanted, is_dry_run = parse_request(request.data)
        if is_dry_run:
            return Response(asdict(plan_export(request=wanted)))
        return Response(asdict(create_export(request=wanted)), status=201)


class ExportView(ExportsView):
    """One export: its state, counts, manifest and audit table."""

    @describes("export_get")
    def get(self, request: Request, export_id: str) -> Response:
        export = export_reads.get_export(export_id=export_id)
        facts = {"manifest": export.manifest, "key_figures": export.key_figures, "audit": export.audit}
        return Response({**asdict(export_reads.describe(export)), **facts})


class ExportFileView(ExportsView):
    """A file of a complete export, as it is."""

    @describes_file
    def get(self, request: Request, export_id: str, file_name: str) -> StreamingHttpResponse:
        found = export_reads.open_export_file(export_id=export_id, name=file_name)
        disposition = f'attachment; filename="{found.name}"'
        headers = {"Content-Length": str(found.size_bytes), "Content-Disposition": disposition}
        return StreamingHttpResponse(found.pieces, content_type=found.content_type, headers=headers)


class ExportDecisionsView(ExportsView):
    """Why each run is or is not in an export."""

    @describes("export_decisions")
    def get(self, request: Request, export_id: str) -> Response:
        query = request.query_params
        outcome = query.get("outcome")
        if outcome is not None and outcome not in set(Outcome):
            raise InvalidInput.at("?outcome", "choice", f"Expected one of {', '.join(Outcome)}.")
        limit = _limit(query.get("limit", "100"))
        page = export_reads.list_decisions(export_id=export_id, outcome=outcome, after=query.get("cursor"), limit=limit)
        return Response(asdict(page))


class RecallNoticesView(ExportsView):
    """Complete exports that hold a run which should no longer be in them."""

    @describes("recall_notice_list")
    def get(self, request: Request) -> Response:
        paginator = self.pagination_class()
        is_open = request.query_params.get("open", "false")
        if is_open not in ("true", "false"):
            raise InvalidInput.at("?open", "choice", "Expected true or false.")
        found = export_reads.list_notices(only_open=is_open == "true")
        page = paginator.paginate_queryset(found, request, view=self) or []
        return paginator.get_paginated_response([asdict(export_reads.notice_info(notice)) for notice in page])


class RecallNoticeView(ExportsView):
    """Note that somebody has dealt with a recall notice."""

    @describes("recall_notice_acknowledge")
    def post(self, request: Request, notice_id: str) -> Response:
        notice = export_reads.acknowledge_notice(notice_id=notice_id, by=who(request))
        return Response(asdict(notice))


class EvalSetsView(ExportsView):
    """Evaluation sets every export is kept clean of."""

    @describes("eval_set_list")
    def get(self, request: Request) -> Response:
        return Response({"results": [asdict(info) for info in eval_sets.list_eval_sets()]})

    @describes("eval_set_create")
    def post(self, request: Request) -> Response:
        content = parse_items(request.data)
        return Response(asdict(eval_sets.add_eval_set(content=content)), status=201)


class EvalSetRetireView(ExportsView):
    """Let exports use a set no longer."""

    @describes("eval_set_retire")
    def post(self, request: Request, eval_set: str) -> Response:
        return Response(asdict(eval_sets.retire_eval_set(name=eval_set)))


class FreezesView(ExportsView):
    """Scorer versions whose runs no new export takes."""

    @describes("freeze_list")
    def get(self, request: Request) -> Response:
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(freezes.list_freezes(), request, view=self) or []
        return paginator.get_paginated_response([_freeze(freeze) for freeze in page])


class FreezeView(ExportsView):
    """Let exports take the runs of a scorer version again."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "admin"}

    @describes("freeze_acknowledge")
    def post(self, request: Request, freeze_id: str) -> Response:
        fields = Fields(request.data, ("by", "note"))
        by = fields.text("by") if fields.has("by") else who(request)
        note = fields.text("note") if fields.has("note") else ""
        fields.check()
        return Response(_freeze(freezes.acknowledge_freeze(freeze_id=int(freeze_id), by=by, note=note)))


def _freeze(freeze: Any) -> dict[str, Any]:
    return {name: getattr(freeze, name) for name in FREEZE_FIELDS}


def parse_request(body: Any) -> tuple[ExportRequest, bool]:
    """Return what is asked for, and whether it is only to be looked at."""
    names = ("kind", "format", "file_type", "include_partial", "attempts", "split", "dry_run")
    fields = Fields(body, names)
    kind = fields.choice("kind", KINDS, "sft")
    file_type = fields.choice("file_type", [name.value for name in FileType], "jsonl")
    attempts = fields.choice("attempts", ATTEMPTS, "best")
    include_partial = fields.boolean("include_partial", False)
    is_dry_run = fields.boolean("dry_run", False)
    format_name = fields.text("format") if fields.has("format") else None
    split = fields.text("split") if fields.has("split") else DEFAULT_SPLIT
    fields.check()
    request = make_request(
        kind=kind,
        format_name=format_name,
        file_type=file_type,
        include_partial=include_partial,
        attempts=attempts,
        split=split,
    )
    return request, is_dry_run


def parse_items(body: Any) -> EvalSetContent:
    """Return the evaluation set of a body; its items are read by the same rules as lines of a file."""
    fields = Fields(body, ("name", "items"))
    name = fields.text("name")
    items = fields.raw("items")
    if not isinstance(items, list):
        fields.fault("items", "type", "Expected an array of objects with id, prompt and answer.")
    fields.check()
    try:
        return parse_eval_set(name, (orjson.dumps(item) for item in items))
    except InvalidInput as error:
        places = [f"/items/{int(fault.pointer.removeprefix('line ') or 1) - 1}" for fault in error.faults]
        faults = [Fault(place, was.code, was.detail) for place, was in zip(places, error.faults, strict=True)]
        raise InvalidInput(faults) from error


def who(request: Request) -> str:
    """Return whom an acknowledgement is by: the token's name, or the user."""
    caller = request.auth
    return caller.name if isinstance(caller, Caller) else str(request.user) or "anonymous"


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= export_reads.MAX_PAGE):
        raise InvalidInput.at("?limit", "range", f"Expected a whole number from 1 to {export_reads.MAX_PAGE}.")
    return int(text)
