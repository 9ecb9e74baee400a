"""Namespaces of the protocol."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

from django.http import HttpResponse
from rest_framework.request import Request

from catalog import namespaces
from catalog.errors import BadCatalogRequest, NoSuchNamespace
from catalog.models import Namespace
from catalog.names import levels_of
from catalog.protocol.paging import page, wanted_page
from catalog.protocol.views import NOTHING, ProtocolView, checked_text, dump, respond
from catalog.recorded import Answer


class NamespacesView(ProtocolView):
    """The namespaces of a level; new ones."""

    def get(self, request: Request, **names: str) -> HttpResponse:
        wanted = wanted_page(request.query_params)
        parent = self._parent(request.query_params.get("parent", ""))
        rows, token = page(
            wanted,
            find=lambda after, limit: namespaces.list_namespaces(
                warehouse=self.warehouse, parent=parent, after=after, limit=limit, caller=self.caller
            ),
            key=lambda row: row.path,
        )
        body: dict[str, Any] = {"namespaces": [row.levels for row in rows]}
        return respond(Answer(200, dump(body | ({"next-page-token": token} if token else {}))))

    def _parent(self, text: str) -> tuple[str, ...]:
        """Return the levels of `parent`; most clients encode it twice, so what is not found is decoded once more."""
        levels = levels_of(checked_text(text))
        again = levels_of(checked_text(unquote_plus(text)))
        if again == levels or not levels:
            return levels
        try:
            namespaces.find_namespace(warehouse=self.warehouse, levels=levels)
        except NoSuchNamespace:
            return again
        return levels

    def post(self, request: Request, **names: str) -> HttpResponse:
        body = self.body()
        return self.once(
            lambda caller: namespaces.create_namespace(
                warehouse=self.warehouse,
                levels=body.get("namespace"),  # type: ignore[arg-type]  # the service checks it
                properties=body.get("properties"),
                caller=caller,
            ),
            _loaded,
        )


class NamespaceView(ProtocolView):
    """One namespace: load, look whether it is there, drop."""

    def get(self, request: Request, **names: str) -> HttpResponse:
        return respond(_loaded(self._find()))

    def head(self, request: Request, **names: str) -> HttpResponse:
        self._find()
        return respond(NOTHING)

    def _find(self) -> Namespace:
        return namespaces.find_namespace(warehouse=self.warehouse, levels=self.levels, caller=self.caller)

    def delete(self, request: Request, **names: str) -> HttpResponse:
        return self.once(
            lambda caller: namespaces.drop_namespace(warehouse=self.warehouse, levels=self.levels, caller=caller),
            lambda done: NOTHING,
        )


class NamespacePropertiesView(ProtocolView):
    """Set and remove properties of a namespace."""

    def post(self, request: Request, **names: str) -> HttpResponse:
        body = self.body()
        removals, updates = body.get("removals") or [], body.get("updates") or {}
        if not isinstance(removals, list) or not all(isinstance(key, str) for key in removals):
            raise BadCatalogRequest("Invalid removals: they must be a list of texts.", pointer="/removals")
        if not isinstance(updates, dict):
            raise BadCatalogRequest("Invalid updates: they must be an object.", pointer="/updates")
        return self.once(
            lambda caller: namespaces.update_properties(
                warehouse=self.warehouse, levels=self.levels, removals=removals, updates=updates, caller=caller
            ),
            lambda done: Answer(200, dump({"updated": done.updated, "removed": done.removed, "missing": done.missing})),
        )


def _loaded(row: Namespace) -> Answer:
    return Answer(200, dump({"namespace": row.levels, "properties": namespaces.properties_of(row)}))
