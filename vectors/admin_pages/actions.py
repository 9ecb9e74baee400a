"""What can be done with an index: each on a page that says what it does before it is done."""

from __future__ import annotations

from dataclasses import replace

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django_tasks.base import Task

from lakehouse_site.errors import LakehouseError
from lakehouse_site.tasks.enqueue import address_of, enqueue
from vectors import tasks
from vectors.admin_pages.base import IndexAdmin, address, read_json, show, tell, words_of
from vectors.indexes import drop_index, list_indexes
from vectors.merge import check_merge, merge_indexes
from vectors.models import VectorIndex
from vectors.queries import DEFAULT_K, DEFAULT_NUM, parse_recall
from vectors.validation import ON_CONFLICT, Merge, parse_merge


def snapshot_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """Take a snapshot."""
    title = f"Take a snapshot of {index.name}"
    if request.method != "POST":
        return show(model_admin, request, index, "snapshot", title)
    return _queue(request, index, tasks.snapshot, title)


def rebuild_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """Build the graph anew."""
    title = f"Rebuild the graph of {index.name}"
    if request.method != "POST":
        return show(model_admin, request, index, "rebuild", title)
    return _queue(request, index, tasks.rebuild, title)


def recall_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """Measure recall."""
    title = f"Measure the recall of {index.name}"
    form = {"num": request.POST.get("num", str(DEFAULT_NUM)), "k": request.POST.get("k", str(DEFAULT_K))}
    faults: list[str] = []
    if request.method == "POST":
        try:
            num, k = parse_recall({name: read_json(text, name) for name, text in form.items()})
        except LakehouseError as error:
            faults = words_of(error)
        else:
            return _queue(request, index, tasks.recall, title, num=num, k=k)
    return show(model_admin, request, index, "recall", title, form=form, faults=faults)


def merge_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """Merge into another index: a dry run first, then, from the page with its numbers, the merge itself."""
    merge, result = None, None
    if request.method == "POST":
        try:
            merge = _merge_of(request)
            if not merge.dry_run:
                return _queue_merge(request, index, merge)
            result = merge_indexes(source=index.name, merge=merge)
        except LakehouseError as error:
            tell(request, error)
    others = list_indexes().filter(dimension=index.dimension, distance=index.distance).exclude(pk=index.pk)
    context = {"others": others, "merge": merge, "result": result, "on_conflict": ON_CONFLICT}
    return show(model_admin, request, index, "merge", f"Merge {index.name} into another index", **context)


def _merge_of(request: HttpRequest) -> Merge:
    sent = request.POST
    body = {"dest": sent.get("dest", ""), "on_conflict": sent.get("on_conflict", "skip")}
    merge = parse_merge({**body, "clear_source": "clear_source" in sent})
    # Only the button of the page that shows the numbers merges.
    return replace(merge, dry_run=sent.get("step") != "merge")


def drop_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """Drop an index whose name was typed."""
    typed = request.POST.get("name", "")
    if request.method == "POST" and typed == index.name:
        drop_index(name=index.name)
        model_admin.log_deletions(request, [index])  # type: ignore[arg-type] # it only walks over them
        messages.success(request, f"The index {index.name} was dropped.")
        return HttpResponseRedirect(address("changelist"))
    if request.method == "POST":
        messages.error(request, f"Nothing was dropped: that is not the name. Type {index.name} to drop it.")
    return show(model_admin, request, index, "drop", f"Drop {index.name}", typed=typed)


def _queue_merge(request: HttpRequest, index: VectorIndex, merge: Merge) -> HttpResponse:
    _, dest = check_merge(source=index.name, dest=merge.dest)
    return _queue(
        request,
        index,
        tasks.merge,
        f"Merge {index.name} into {merge.dest}",
        # Run again after half of it, it would take its own items for conflicts.
        may_repeat=merge.on_conflict != "error",
        dest_id=str(dest.id),
        dest=merge.dest,
        on_conflict=merge.on_conflict,
        clear_source=merge.clear_source,
    )


def _queue(
    request: HttpRequest,
    index: VectorIndex,
    task: Task[..., str],
    title: str,
    *,
    may_repeat: bool = True,
    **arguments: str | int | bool,
) -> HttpResponse:
    """Let the worker do it, and show the page that tells how far it is."""
    given = {"index_id": str(index.pk), "name": index.name, **arguments}
    record = enqueue(task=task, arguments=given, title=title, subject=index, by=request.user, may_repeat=may_repeat)
    return HttpResponseRedirect(address_of(record))
