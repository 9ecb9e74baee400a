"""The HTTP face of scored runs and of their quarantine: read the body, call one service, shape the answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

import orjson
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from distillation import quarantine, quarantine_reads, run_bodies, runs
from distillation.firewall import Category
from distillation.models import QuarantinedLine, ScoredRun
from distillation.openapi import describes
from distillation.posted_runs import ingest_body
from distillation.timestamps import parse_rfc3339
from lakehouse_site.access.tokens import Caller
from lakehouse_site.errors import InvalidInput
from lakehouse_site.http import BinaryBody, BinaryParser
from vectors.fields import Fields

DEFAULT_PAGE = 100


class RunsView(APIView):
    """What a caller needs for each method; see `lakehouse_site.access.permissions`."""

    concerns_all_indexes = True
    required_scopes: ClassVar[dict[str, str]] = {"GET": "read", "POST": "write"}
    django_permissions: ClassVar[dict[str, str]] = {
        "read": "distillation.view_scoredrun",
        "write": "distillation.add_scoredrun",
        "admin": "distillation.change_quarantinedline",
    }


class NdjsonParser(BinaryParser):
    media_type = "application/x-ndjson"


class ScoredRunsView(RunsView):
    """Scored runs: take new ones, and list those there are."""

    parser_classes = (*RunsView.parser_classes, NdjsonParser)

    @describes("scored_run_list")
    def get(self, request: Request) -> Response:
        query = request.query_params
        wanted = runs.RunFilter(
            category=_choice(query.get("category"), "category", [category.value for category in Category]),
            source=query.get("source"),
            task_id=query.get("task"),
            scorer=query.get("scorer"),
            scorer_version=query.get("scorer_version"),
            scored_from=_moment(query.get("from"), "from"),
            scored_before=_moment(query.get("before"), "before"),
            is_disputed=_boolean(query.get("disputed"), "disputed"),
        )
        page = runs.list_runs(wanted=wanted, after=query.get("cursor"), limit=_limit(query.get("limit")))
        return Response({"runs": [_run(run) for run in page.runs], "next": page.next})

    @describes("scored_run_add")
    def post(self, request: Request) -> Response:
        body: Any = request.data
        if isinstance(body, BinaryBody):
            sent, lines = body.content, run_bodies.lines_of_ndjson(body.content)
        else:
            sent = bytes(getattr(request, "raw_body", b""))
            lines = run_bodies.lines_of_runs(sent)
        return Response(asdict(ingest_body(sent=sent, lines=lines)))


class ScoredRunView(RunsView):
    """One run: what came in, what became of it in each export, and what contradicts it."""

    @describes("scored_run_get")
    def get(self, request: Request, run_id: str) -> Response:
        run = runs.get_run(run_id=run_id)
        decisions = [
            {
                "export_id": decision.export.export_id,
                "kind": decision.export.kind,
                "export_status": decision.export.status,
                "outcome": decision.outcome,
                "split": decision.split,
                "group": decision.group,
                "evidence": decision.evidence,
            }
            for decision in runs.decisions_of(run)
        ]
        conflicts = [{"id": row.pk, "status": row.status, **_place(row)} for row in runs.conflicts_of(run)]
        content = {"content": orjson.Fragment(run.content)}
        return Response({**_run(run), **content, "decisions": decisions, "conflicts": conflicts})


class StatsView(RunsView):
    """How many runs there are of what, and what became of the lines that came in."""

    @describes("distillation_stats")
    def get(self, request: Request) -> Response:
        return Response(asdict(runs.stats()))


class QuarantineView(RunsView):
    """Lines that were not taken, and why."""

    @describes("quarantine_list")
    def get(self, request: Request) -> Response:
        query = request.query_params
        status = query.get("status", QuarantinedLine.Status.OPEN.value)
        found = quarantine_reads.list_quarantine(
            status=None if status == "all" else status, code=query.get("code"), run_id=query.get("run_id")
        )
        page = quarantine_reads.page_of(found, after=query.get("cursor"), limit=_limit(query.get("limit")))
        return Response({"lines": [_line(row) for row in page.lines], "next": page.next})


class QuarantineReleaseView(RunsView):
    """Take a quarantined line after all. Of a contradiction, its content becomes the run's."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "admin"}

    @describes("quarantine_release")
    def post(self, request: Request, line_id: str) -> Response:
        note = _note(request)
        done = quarantine.release_line(line_id=int(line_id), decided_by=_who(request), note=note)
        return Response(asdict(done))


class QuarantineDiscardView(RunsView):
    """Leave a quarantined line out for good. Of a contradiction, the stored run stands."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "admin"}

    @describes("quarantine_discard")
    def post(self, request: Request, line_id: str) -> Response:
        note = _note(request)
        done = quarantine.discard_line(line_id=int(line_id), decided_by=_who(request), note=note)
        return Response(asdict(done))


def _run(run: ScoredRun) -> dict[str, Any]:
    names = (
        "run_id", "task_id", "attempt", "category", "source", "scored_at", "score", "scorer_name", "scorer_version",
        "model", "is_disputed", "content_sha256", "prompt_characters", "response_characters", "line", "ingested_at",
    )  # fmt: skip
    return {**{name: getattr(run, name) for name in names}, "file": run.file.path}


def _place(row: QuarantinedLine) -> dict[str, Any]:
    names = ("code", "message", "line", "quarantined_at", "decided_at", "decided_by", "note")
    return {**{name: getattr(row, name) for name in names}, "file": row.file.path}


def _line(row: QuarantinedLine) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in ("run_id", "status", "size_bytes", "sha256")}
    return {"id": row.pk, **_place(row), **facts, "raw": bytes(row.raw).decode("utf-8", "replace")}


def _who(request: Request) -> str:
    caller = request.auth
    if isinstance(caller, Caller):
        return f"token {caller.name}"[: quarantine.MAX_NAME_CHARACTERS]
    return str(request.user) or "anonymous"


def _note(request: Request) -> str:
    fields = Fields(request.data, ("note",))
    note = fields.text("note") if fields.has("note") else ""
    fields.check()
    return note


def _choice(text: str | None, name: str, known: list[str]) -> str | None:
    if text is not None and text not in known:
        raise InvalidInput.at(f"?{name}", "choice", f"Expected one of {', '.join(known)}.")
    return text


def _boolean(text: str | None, name: str) -> bool | None:
    return None if text is None else _choice(text, name, ["true", "false"]) == "true"


def _moment(text: str | None, name: str) -> Any:
    moment = None if text is None else parse_rfc3339(text)
    if text is not None and moment is None:
        raise InvalidInput.at(f"?{name}", "time", "Expected a time like 2026-03-01T00:00:00Z; write + as %2B.")
    return moment


def _limit(text: str | None) -> int:
    text = str(DEFAULT_PAGE) if text is None else text
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= runs.MAX_PAGE):
        raise InvalidInput.at("?limit", "range", f"Expected a whole number from 1 to {runs.MAX_PAGE}.")
    return int(text)
