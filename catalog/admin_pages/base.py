"""What the pages of a table or view share: who may see them, what stands around them, and errors in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from catalog.callers import Caller
from catalog.models import Relation
from lakehouse_site import logs
from lakehouse_site.errors import LakehouseError

if TYPE_CHECKING:
    RelationBase = admin.ModelAdmin[Relation]
else:
    RelationBase = admin.ModelAdmin  # takes a type argument only in the stubs

Page = Callable[[RelationBase, HttpRequest, Relation], HttpResponse]

TEMPLATES = "admin/catalog/relation"
MAX_MESSAGE = 1_000
"""Characters of an error that are shown: messages travel in a cookie."""


def address(page: str, relation: Relation | None = None) -> str:
    """Return the address of a page of a table, or of the list."""
    return reverse(f"admin:catalog_relation_{page}", args=[relation.pk] if relation else [])


def caller_of(request: HttpRequest) -> Caller:
    """Return on whose behalf something is done: the permissions of the admin have been asked already."""
    return Caller(request.user.get_username(), logs.request_id.get(), is_admin=True)


def relation_page(model_admin: RelationBase, page: Page, needs: str) -> Callable[..., HttpResponse]:
    """Return the view of a page: it looks up the table and asks for the permission.

    An error that a person can act on is told as a message, on the page one level up.
    """

    def view(request: HttpRequest, object_id: str | int) -> HttpResponse:
        if not may(request, needs):
            raise PermissionDenied
        found = find(object_id)
        if found is None:
            messages.warning(request, "This table does not exist. Perhaps it was purged.")
            return HttpResponseRedirect(address("changelist"))
        try:
            return page(model_admin, request, found)
        except LakehouseError as error:
            messages.error(request, error.detail[:MAX_MESSAGE])
            here = address("change", found)
            return HttpResponseRedirect(address("changelist") if request.path == here else here)

    return model_admin.admin_site.admin_view(view)


def find(object_id: str | int) -> Relation | None:
    """Return the table or view with this id, if there is one."""
    text = str(object_id)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    return Relation.objects.select_related("namespace__warehouse").filter(pk=int(text)).first()


def may(request: HttpRequest, what: str) -> bool:
    """Return whether the user has a permission on tables: view, change or delete. Whoever may change may look."""
    wanted = ("view", "change") if what == "view" else (what,)
    return any(request.user.has_perm(f"catalog.{one}_relation") for one in wanted)


def show(
    model_admin: RelationBase, request: HttpRequest, relation: Relation, template: str, title: str, **context: Any
) -> HttpResponse:
    """Return a page of a table or view."""
    around = {
        **model_admin.admin_site.each_context(request),
        "opts": Relation._meta,
        "relation": relation,
        "is_table": relation.kind == Relation.Kind.TABLE,
        "title": title,
        "page": template,
        "may_change": may(request, "change"),
        "may_delete": may(request, "delete"),
    }
    return TemplateResponse(request, f"{TEMPLATES}/{template}.html", {**around, **context})
