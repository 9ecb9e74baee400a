"""Tables of the protocol."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from catalog import commits, grants, registrations, relation_moves, relations
from catalog.callers import Caller
from catalog.client_config import storage_credentials
from catalog.errors import BadCatalogRequest
from catalog.models import Relation, Warehouse
from catalog.names import levels_of
from catalog.protocol.answers import SNAPSHOT_MODES, commit_result, etag, load_result, matches
from catalog.protocol.paging import page, wanted_page
from catalog.protocol.views import NOTHING, ProtocolView, checked_text, dump, respond
from catalog.recorded import Answer
from catalog.relation_writes import TABLE

logger = logging.getLogger(__name__)


class RelationsView(ProtocolView):
    """The tables or views of a namespace."""

    kind = TABLE

    def get(self, request: Request, **names: str) -> HttpResponse:
        rows, token = page(
            wanted_page(request.query_params),
            find=lambda after, limit: relations.list_relations(
                warehouse=self.warehouse, levels=self.levels, kind=self.kind, after=after, limit=limit,
                caller=self.caller,
            ),
            key=lambda row: row.name,
        )  # fmt: skip
        body: dict[str, Any] = {"identifiers": [{"namespace": row.namespace.levels, "name": row.name} for row in rows]}
        return respond(Answer(200, dump(body | ({"next-page-token": token} if token else {}))))


class TablesView(RelationsView):
    """The tables of a namespace; new ones, made or staged."""

    def post(self, request: Request, **names: str) -> HttpResponse:
        body = self.body()
        warehouse = self.warehouse
        make = relations.stage_table if body.get("stage-create") is True else relations.create_table
        return self.once(
            lambda caller: make(warehouse=warehouse, levels=self.levels, request=body, caller=caller),
            lambda row: load_result(row, warehouse=warehouse),
        )


class TableView(ProtocolView):
    """One table: load, look whether it is there, commit, drop."""

    @property
    def table(self) -> str:
        return self.relation_name(TABLE)

    def get(self, request: Request, **names: str) -> HttpResponse:
        mode = request.query_params.get("snapshots", "all")
        if mode not in SNAPSHOT_MODES:
            raise BadCatalogRequest(f"Invalid snapshots: {mode!r} is none of {', '.join(SNAPSHOT_MODES)}.")
        warehouse, held = self.warehouse, request.META.get("HTTP_IF_NONE_MATCH")
        if held is not None:
            tag = etag(self._find(warehouse, is_brief=True).metadata_location, mode)
            if matches(held, tag):
                return HttpResponse(status=304, headers={"ETag": tag})
        return respond(load_result(self._find(warehouse), warehouse=warehouse, snapshots=mode))

    def head(self, request: Request, **names: str) -> HttpResponse:
        self._find(self.warehouse, is_brief=True)
        return respond(NOTHING)

    def _find(self, warehouse: Warehouse, *, is_brief: bool = False) -> Relation:
        return relations.find_table(
            warehouse=warehouse, levels=self.levels, name=self.table, caller=self.caller, is_brief=is_brief
        )

    def post(self, request: Request, **names: str) -> HttpResponse:
        change = table_change(self.body(), self.levels, self.table)
        warehouse = self.warehouse
        return self.once(
            lambda caller: commits.commit_tables(warehouse=warehouse, changes=[change], caller=caller),
            lambda rows: commit_result(rows[0]),
        )

    def delete(self, request: Request, **names: str) -> HttpResponse:
        purge = request.query_params.get("purgeRequested", "false").lower() == "true"
        return self.once(
            lambda caller: relation_moves.drop(
                warehouse=self.warehouse, levels=self.levels, name=self.table, purge_requested=purge, caller=caller
            ),
            lambda row: NOTHING,
        )


class TransactionView(ProtocolView):
    """Commit to several tables at once."""

    def post(self, request: Request, **names: str) -> HttpResponse:
        sent = self.body().get("table-changes")
        if not isinstance(sent, list) or not sent or not all(isinstance(one, dict) for one in sent):
            raise BadCatalogRequest("Invalid table changes: null or empty", pointer="/table-changes")
        changes = [table_change(one, *_identifier(one.get("identifier"), "/identifier")) for one in sent]
        warehouse = self.warehouse
        return self.once(
            lambda caller: commits.commit_tables(warehouse=warehouse, changes=changes, caller=caller),
            lambda rows: NOTHING,
        )


class RegisterView(ProtocolView):
    """Take a metadata file as a table."""

    kind = TABLE

    def post(self, request: Request, **names: str) -> HttpResponse:
        body = self.body()
        warehouse = self.warehouse

        def do(caller: Caller) -> Any:
            return registrations.register(
                warehouse=warehouse, levels=self.levels, name=body.get("name", ""), kind=self.kind, caller=caller,
                metadata_location=body.get("metadata-location", ""), overwrite=body.get("overwrite") is True,
            )  # fmt: skip

        return self.once(do, lambda row: load_result(row, warehouse=warehouse))


class UnregisterView(ProtocolView):
    """Give a table to another catalog."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "admin"}

    def post(self, request: Request, **names: str) -> HttpResponse:
        table = self.relation_name(TABLE)
        return self.once(
            lambda caller: relation_moves.unregister(
                warehouse=self.warehouse, levels=self.levels, name=table, caller=caller
            ),
            commit_result,
        )


class RenameView(ProtocolView):
    """Another name for a table or a view."""

    kind = TABLE

    def post(self, request: Request, **names: str) -> HttpResponse:
        body = self.body()
        source, source_name = _identifier(body.get("source"), "/source")
        destination, destination_name = _identifier(body.get("destination"), "/destination")
        return self.once(
            lambda caller: relation_moves.rename(
                warehouse=self.warehouse, source=source, source_name=source_name, destination=destination,
                destination_name=destination_name, kind=self.kind, caller=caller,
            ),
            lambda row: NOTHING,
        )  # fmt: skip


class MetricsView(ProtocolView):
    """Reports of clients on their scans and commits: logged, not kept."""

    required_scopes: ClassVar[dict[str, str]] = {"POST": "read"}

    def post(self, request: Request, **names: str) -> HttpResponse:
        report = self.body()
        table = self.relation_name(TABLE)
        grants.require(caller=self.caller, warehouse=self.warehouse, levels=self.levels, privilege=grants.READ)
        kind = str(report.get("report-type", ""))[:64]
        logger.info("metrics report", extra={"table": f"{'.'.join(self.levels)}.{table}", "report_type": kind})
        return respond(NOTHING)


class CredentialsView(ProtocolView):
    """Credentials for a table's files; none, unless the warehouse says so."""

    def get(self, request: Request, **names: str) -> HttpResponse:
        warehouse, table = self.warehouse, self.relation_name(TABLE)
        relations.find_table(warehouse=warehouse, levels=self.levels, name=table, caller=self.caller)
        return respond(Answer(200, dump({"storage-credentials": storage_credentials(warehouse)})))


def table_change(body: dict[str, Any], levels: Any, name: str) -> commits.TableChange:
    """Return what a `CommitTableRequest` asks for."""
    return commits.TableChange(levels, name, body.get("requirements") or (), body.get("updates") or ())


def _identifier(sent: Any, pointer: str) -> tuple[tuple[str, ...], str]:
    levels = sent.get("namespace") if isinstance(sent, dict) else None
    name = sent.get("name") if isinstance(sent, dict) else None
    if not isinstance(levels, list) or not levels or not all(isinstance(level, str) for level in levels):
        raise BadCatalogRequest("Invalid identifier: the namespace must be a list of texts.", pointer=pointer)
    if not isinstance(name, str) or not name:
        raise BadCatalogRequest("Invalid identifier: the name must be a text.", pointer=pointer)
    for text in (*levels, name):
        checked_text(text)
    return levels_of("\x1f".join(levels)), name
