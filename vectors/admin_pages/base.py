"""What the pages of an index share: who may see them, what stands around them, and errors in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from lakehouse_site.errors import InvalidInput, LakehouseError, NotFound
from vectors.filters import has_huge_number
from vectors.indexes import list_indexes
from vectors.models import VectorIndex

if TYPE_CHECKING:
    IndexAdmin = admin.ModelAdmin[VectorIndex]
else:
    IndexAdmin = admin.ModelAdmin  # takes a type argument only in the stubs

Page = Callable[[IndexAdmin, HttpRequest, VectorIndex], HttpResponse]

TEMPLATES = "admin/vectors/vectorindex"
MAX_MESSAGE = 1_000
"""Characters of an error that are shown: messages travel in a cookie."""


def address(page: str, index: VectorIndex | None = None) -> str:
    """Return the address of a page of an index, or of the list."""
    return reverse(f"admin:vectors_vectorindex_{page}", args=[index.pk] if index else [])


def index_page(model_admin: IndexAdmin, page: Page, needs: str) -> Callable[..., HttpResponse]:
    """Return the view of a page: it looks up the index and asks for the permission as the API does.

    An error that a person can act on is told as a message, on the page one level up.
    """

    def view(request: HttpRequest, object_id: str | UUID) -> HttpResponse:
        if not may(request, needs):
            raise PermissionDenied
        index = find(object_id)
        if index is None:
            messages.warning(request, "This index does not exist. Perhaps it was dropped.")
            return HttpResponseRedirect(address("changelist"))
        try:
            return page(model_admin, request, index)
        except LakehouseError as error:
            tell(request, error)
            here = address("change", index)
            is_lost = isinstance(error, NotFound) or request.path == here
            return HttpResponseRedirect(address("changelist") if is_lost else here)

    return model_admin.admin_site.admin_view(view)


def find(object_id: str | UUID) -> VectorIndex | None:
    """Return the index with this id, if there is one."""
    try:
        return list_indexes().filter(pk=UUID(str(object_id))).first()
    except ValueError:
        return None


def may(request: HttpRequest, what: str) -> bool:
    """Return whether the user has a permission on indexes: view, change or delete. Whoever may change may look."""
    wanted = ("view", "change") if what == "view" else (what,)
    return any(request.user.has_perm(f"vectors.{one}_vectorindex") for one in wanted)


def show(
    model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex, template: str, title: str, **context: Any
) -> HttpResponse:
    """Return a page of an index."""
    around = {
        **model_admin.admin_site.each_context(request),
        "opts": VectorIndex._meta,
        "index": index,
        "title": title,
        "page": template,
        "may_change": may(request, "change"),
        "may_delete": may(request, "delete"),
    }
    return TemplateResponse(request, f"{TEMPLATES}/{template}.html", {**around, **context})


def tell(request: HttpRequest, error: LakehouseError) -> None:
    """Show an error in words."""
    messages.error(request, " ".join(words_of(error))[:MAX_MESSAGE])


def words_of(error: LakehouseError) -> list[str]:
    """Return what is wrong, one sentence for each place."""
    if not isinstance(error, InvalidInput) or not error.faults:
        return [error.detail]
    return [f"{fault.pointer.lstrip('/')}: {fault.detail}" if fault.pointer else fault.detail for fault in error.faults]


def read_json(text: str, field: str) -> Any:
    """Parse what was typed into a form, with exact integers; None for nothing.

    Raises
    ------
    InvalidInput
        It is not JSON.
    """
    if not text.strip():
        return None
    try:
        value = orjson.loads(text)
        return json.loads(text) if has_huge_number(value) else value
    except (ValueError, RecursionError) as error:
        raise InvalidInput.at(f"/{field}", "json", f"This is not JSON: {error}.") from error
