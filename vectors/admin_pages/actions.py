"""What can be done with an index: each on a page that says what it does before it is done."""

from __future__ import annotations

from dataclasses import replace

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat

from lakehouse_site.errors import LakehouseError
from vectors.admin_pages.base import IndexAdmin, address, read_json, show, tell, words_of
from vectors.indexes import drop_index, index_state, list_indexes
from vectors.maintenance import rebuild_index
from vectors.merge import merge_indexes
from vectors.models import VectorIndex
from vectors.queries import DEFAULT_K, DEFAULT_NUM, parse_recall
from vectors.recall import measure_recall
from vectors.snapshots import take_snapshot
from vectors.validation import ON_CONFLICT, Merge, parse_merge


def snapshot_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """Take a snapshot."""
    if request.method != "POST":
        return show(model_admin, request, index, "snapshot", f"Take a snapshot of {index.name}")
    info = take_snapshot(state=index_state(name=index.name))
    return _done(
        model_admin, request, index, f"A snapshot of {index.name} was taken: {filesizeformat(info.bytes or 0)}."
    )


def rebuild_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """Build the graph anew."""
    if request.method != "POST":
        return show(model_admin, request, index, "rebuild", f"Rebuild the graph of {index.name}")
    info = rebuild_index(name=index.name)
    size = filesizeformat(info.bytes or 0)
    return _done(model_admin, request, index, f"The graph of {index.name} was built anew and published: {size}.")


def recall_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """Measure recall."""
    form = {"num": request.POST.get("num", str(DEFAULT_NUM)), "k": request.POST.get("k", str(DEFAULT_K))}
    faults: list[str] = []
    if request.method == "POST":
        try:
            num, k = parse_recall({name: read_json(text, name) for name, text in form.items()})
            measured = measure_recall(state=index_state(name=index.name), num=num, k=k)
        except LakehouseError as error:
            faults = words_of(error)
        else:
            said = f"Searches found {measured.recall:.4f} of the true {k} nearest of {measured.num} items"
            times = f"{measured.ann_ms:.2f} ms a search, {measured.exact_ms:.2f} ms an exact one"
            return _done(model_admin, request, index, f"{said}: {times}.")
    return show(model_admin, request, index, "recall", f"Measure the recall of {index.name}", form=form, faults=faults)


def merge_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """Merge into another index: a dry run first, then, from the page with its numbers, the merge itself."""
    merge, result = None, None
    if request.method == "POST":
        try:
            merge = _merge_of(request)
            result = merge_indexes(source=index.name, merge=merge)
        except LakehouseError as error:
            tell(request, error)
        else:
            if not merge.dry_run:
                numbers = f"{result.added:,} added, {result.overwritten:,} overwritten, {result.skipped:,} skipped"
                said = (
                    f"The index {index.name} was merged into {merge.dest}: {numbers}, {result.deleted:,} removed here."
                )
                return _done(model_admin, request, index, said)
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


def _done(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex, said: str) -> HttpResponse:
    model_admin.log_change(request, index, said)
    messages.success(request, said)
    return HttpResponseRedirect(address("change", index))
