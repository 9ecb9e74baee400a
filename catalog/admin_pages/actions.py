"""What can be done with a table: each on a page that says what it does before it is done."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from catalog.admin_pages.base import RelationBase, address, caller_of, show
from catalog.commits import rollback
from catalog.datasets import snapshots_of
from catalog.models import Relation
from catalog.purge import undrop_time
from catalog.relation_moves import drop, undrop


def rollback_page(model_admin: RelationBase, request: HttpRequest, relation: Relation) -> HttpResponse:
    """Make an earlier snapshot the current one."""
    sent = (request.POST if request.method == "POST" else request.GET).get("snapshot", "")
    snapshot = next((one for one in snapshots_of(relation) if str(one.snapshot_id) == sent), None)
    if snapshot is None or relation.deleted_at is not None:
        messages.error(request, "There is no such snapshot to roll back to. Perhaps it has expired.")
        return HttpResponseRedirect(address("change", relation))
    if request.method != "POST":
        title = f"Roll {relation} back"
        return show(model_admin, request, relation, "rollback", title, snapshot=snapshot)
    rollback(
        warehouse=relation.namespace.warehouse,
        levels=relation.namespace.levels,
        name=relation.name,
        snapshot_id=snapshot.snapshot_id,
        caller=caller_of(request),
    )
    model_admin.log_change(request, relation, f"Rolled back to snapshot {snapshot.snapshot_id}.")
    messages.success(request, f"{relation} is at snapshot {snapshot.snapshot_id} again.")
    return HttpResponseRedirect(address("change", relation))


def undrop_page(model_admin: RelationBase, request: HttpRequest, relation: Relation) -> HttpResponse:
    """Bring a dropped table or view back."""
    if request.method != "POST":
        return show(model_admin, request, relation, "undrop", f"Undrop {relation}")
    found = undrop(relation_id=relation.pk, caller=caller_of(request))
    model_admin.log_change(request, found, "Undropped.")
    messages.success(request, f"{found} is back.")
    return HttpResponseRedirect(address("change", found))


def drop_page(model_admin: RelationBase, request: HttpRequest, relation: Relation) -> HttpResponse:
    """Drop a table or view whose name was typed."""
    typed = request.POST.get("name", "")
    if relation.deleted_at is not None:
        messages.warning(request, f"{relation} is dropped already.")
        return HttpResponseRedirect(address("change", relation))
    if request.method == "POST" and typed == relation.name:
        found = drop(
            warehouse=relation.namespace.warehouse,
            levels=relation.namespace.levels,
            name=relation.name,
            kind=relation.kind,
            purge_requested="purge" in request.POST,
            caller=caller_of(request),
        )
        model_admin.log_change(request, found, "Dropped.")
        messages.success(request, f"{relation} was dropped. It can be undropped here.")
        return HttpResponseRedirect(address("change", relation))
    if request.method == "POST":
        messages.error(request, f"Nothing was dropped: that is not the name. Type {relation.name} to drop it.")
    context = {"typed": typed, "undrop_days": undrop_time().days}
    return show(model_admin, request, relation, "drop", f"Drop {relation}", **context)
