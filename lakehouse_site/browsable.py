"""The API in a browser: a form with an example that works for every call, and links from one thing to the next."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from django.http import HttpResponse
from django.urls import NoReverseMatch, reverse
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.response import Response

from lakehouse_site import problems
from lakehouse_site.errors import LakehouseError

logger = logging.getLogger(__name__)

Link = tuple[str, str]
"""A text and an address."""

_INDEX_PAGES = {
    name: name
    for name in ("search", "items", "add", "fetch", "count", "delete", "duplicates", "merge", "recall", "snapshot")
}
_PLACES: dict[str, dict[str, str]] = {
    "root": {
        "indexes": "indexes",
        "scored runs": "scored-runs",
        "quarantine": "quarantine",
        "exports": "exports",
        "monitors": "drift-monitors",
        "alerts": "drift-alerts",
        "all calls": "docs",
    },
    "indexes": {"search several": "multi-search"},
    "index": _INDEX_PAGES,
    **{page: {"the index": "index", **_INDEX_PAGES} for page in _INDEX_PAGES.values()},
    "scored-runs": {"quarantine": "quarantine", "counts": "distillation-stats", "exports": "exports"},
    "scored-run": {"all runs": "scored-runs", "exports": "exports"},
    "quarantine": {"scored runs": "scored-runs", "counts": "distillation-stats"},
    "distillation-stats": {"scored runs": "scored-runs", "quarantine": "quarantine"},
    "exports": {"recall notices": "recall-notices", "evaluation sets": "eval-sets", "freezes": "freezes"},
    "export": {"decisions": "export-decisions", "all exports": "exports", "recall notices": "recall-notices"},
    "export-decisions": {"the export": "export"},
    "recall-notices": {"exports": "exports"},
    "drift-monitors": {"reports": "drift-reports", "alerts": "drift-alerts"},
    "drift-monitor": {"look now": "drift-check", "all monitors": "drift-monitors"},
    "drift-check": {"the monitor": "drift-monitor", "reports": "drift-reports"},
    "drift-reports": {"monitors": "drift-monitors", "alerts": "drift-alerts"},
    "drift-alerts": {"monitors": "drift-monitors", "reports": "drift-reports"},
}
"""From each page, by the name of its route, to those beside it: text → route."""

_ENTRIES: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "indexes": (("results", "name", "index", "name"),),
    "scored-runs": (("runs", "run_id", "scored-run", "run_id"),),
    "scored-run": (("decisions", "export_id", "export", "export_id"),),
    "quarantine": (
        ("lines", "id", "quarantine-release", "line_id"),
        ("lines", "id", "quarantine-discard", "line_id"),
    ),
    "exports": (("results", "export_id", "export", "export_id"),),
    "export-decisions": (("decisions", "run_id", "scored-run", "run_id"),),
    "recall-notices": (
        ("results", "export_id", "export", "export_id"),
        ("results", "run_id", "scored-run", "run_id"),
        ("results", "id", "recall-notice", "notice_id"),
    ),
    "eval-sets": (("results", "name", "eval-set", "eval_set"),),
    "freezes": (("results", "id", "freeze", "freeze_id"),),
    "drift-monitors": (("results", "id", "drift-monitor", "monitor_id"),),
    "drift-reports": (("results", "monitor_id", "drift-monitor", "monitor_id"),),
    "drift-alerts": (
        ("results", "id", "drift-alert-acknowledge", "alert_id"),
        ("results", "monitor_id", "drift-monitor", "monitor_id"),
    ),
}
"""From a list to its entries: the field of the list, that of the entry, the route, and its parameter."""

_SHOWN_ENTRIES = 20


class BrowsableRenderer(BrowsableAPIRenderer):
    """DRF's pages, with what the endpoint's description knows."""

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Any) -> Any:
        form = super().get_raw_data_form(data, view, method, request)
        if form is not None:
            form.initial["_content"] = _form_text(view, method)
        return form

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(data, accepted_media_type, renderer_context)
        match = context["request"].resolver_match
        if match is not None:
            context["places"] = list(_places(match.url_name or "", match.kwargs))
            context["entries"] = list(_entries(match.url_name or "", match.kwargs, data))
        return context


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | Response | None:
    """Answer for DRF: a browser gets the problem on a page, with the form that it came from.

    A GET of what only takes other methods is no problem in a browser: it asks for the form.
    """
    request, view = context["request"], context["view"]
    renderer = getattr(request, "accepted_renderer", None)
    if not isinstance(renderer, BrowsableRenderer):
        return problems.exception_handler(error, context)
    if isinstance(error, MethodNotAllowed) and request.method == "GET":
        takes = [method for method in view.allowed_methods if method != "OPTIONS"]
        return Response({"about": (view.__doc__ or "").strip(), "takes": takes})
    answer = problems.exception_handler(error, context)
    if answer is None:
        return None
    headers = {name: value for name, value in answer.items() if not name.lower().startswith("content-")}
    return Response(orjson.loads(answer.content), status=answer.status_code, headers=headers)


def _form_text(view: Any, method: str) -> str:
    """Return a body for the form; a view may fit the example to what the path names."""
    example = getattr(getattr(view, method.lower(), None), "example_body", None)
    if example is None:
        return ""
    fit = getattr(view, "fit_example", None)
    if fit is not None:
        try:
            example = fit(example)
        except LakehouseError:  # there is no such thing, which the page itself says
            logger.debug("example not fitted", exc_info=True)
    return orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()


def _places(route: str, kwargs: Mapping[str, Any]) -> Iterator[Link]:
    for text, target in _PLACES.get(route, {}).items():
        address = _address(target, kwargs) if target != route else ""
        if address:
            yield text, address
    if route == "drift-monitor":
        for text, target in (("its reports", "drift-reports"), ("its alerts", "drift-alerts")):
            yield text, f"{reverse(target)}?monitor={quote(kwargs['monitor_id'])}"


def _entries(route: str, kwargs: Mapping[str, Any], data: Any) -> Iterator[Link]:
    if route == "export" and isinstance(data, dict):
        for name in data.get("files", ()):
            yield name, _address("export-file", {**kwargs, "file_name": name})
    for field, name, target, parameter in _ENTRIES.get(route, ()):
        entries = data.get(field, ()) if isinstance(data, dict) else ()
        values = dict.fromkeys(str(entry[name]) for entry in entries[:_SHOWN_ENTRIES] if isinstance(entry, dict))
        for value in values:
            address = _address(target, {parameter: value})
            if address:
                yield f"{_WORDS.get(target, '')}{value}", address


_WORDS = {
    "quarantine-release": "release ",
    "quarantine-discard": "discard ",
    "recall-notice": "acknowledge ",
    "drift-alert-acknowledge": "acknowledge ",
    "eval-set": "retire ",
    "freeze": "acknowledge ",
}
"""What an entry leads to, where that is not the entry itself."""


def _address(route: str, kwargs: Mapping[str, Any]) -> str:
    """Return the address of a route, with the parameters where it takes them; nothing where these cannot be in one."""
    for given in (kwargs, {}):
        try:
            return reverse(route, kwargs=dict(given))
        except NoReverseMatch:
            continue
    return ""
