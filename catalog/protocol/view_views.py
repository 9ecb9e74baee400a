"""Views of the protocol."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from catalog import relation_moves, relations, view_relations
from catalog.models import Relation
from catalog.protocol.answers import load_result
from catalog.protocol.table_views import RegisterView, RelationsView, RenameView
from catalog.protocol.views import NOTHING, ProtocolView, respond
from catalog.relation_writes import VIEW


class ViewsView(RelationsView):
    """The views of a namespace; new ones."""

    kind = VIEW

    def post(self, request: Request, **names: str) -> HttpResponse:
        body, warehouse = self.body(), self.warehouse
        return self.once(
            lambda caller: view_relations.create_view(
                warehouse=warehouse, levels=self.levels, request=body, caller=caller
            ),
            lambda row: load_result(row, warehouse=warehouse),
        )


class ViewView(ProtocolView):
    """One view: load, look whether it is there, replace, drop."""

    @property
    def name(self) -> str:
        return self.relation_name(VIEW)

    def get(self, request: Request, **names: str) -> HttpResponse:
        return respond(load_result(self._find(), warehouse=self.warehouse))

    def head(self, request: Request, **names: str) -> HttpResponse:
        self._find()
        return respond(NOTHING)

    def _find(self) -> Relation:
        return relations.find_relation(
            warehouse=self.warehouse, levels=self.levels, name=self.name, kind=VIEW, caller=self.caller
        )

    def post(self, request: Request, **names: str) -> HttpResponse:
        body, warehouse = self.body(), self.warehouse
        return self.once(
            lambda caller: view_relations.replace_view(
                warehouse=warehouse,
                levels=self.levels,
                name=self.name,
                requirements=body.get("requirements") or [],
                updates=body.get("updates") or [],
                caller=caller,
            ),
            lambda row: load_result(row, warehouse=warehouse),
        )

    def delete(self, request: Request, **names: str) -> HttpResponse:
        return self.once(
            lambda caller: relation_moves.drop(
                warehouse=self.warehouse, levels=self.levels, name=self.name, kind=VIEW, caller=caller
            ),
            lambda row: NOTHING,
        )


class RenameViewView(RenameView):
    """Another name for a view."""

    kind = VIEW


class RegisterViewView(RegisterView):
    """Take a metadata file as a view."""

    kind = VIEW
