"""What the admin lets the worker do with indexes: each calls the services of the API and says what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.template.defaultfilters import filesizeformat
from django_tasks import task

from lakehouse_site.errors import NotFound
from lakehouse_site.tasks.progress import progress
from vectors.indexes import index_state
from vectors.maintenance import build_graph, rebuild_index, snapshot_index
from vectors.merge import merge_indexes
from vectors.recall import measure_recall
from vectors.replicas import replicas
from vectors.rows import IndexState
from vectors.validation import Merge, OnConflict

GRAPH = "building the graph: rows done"


@task()
def snapshot(index_id: str, name: str) -> str:
    with _index(index_id, name) as state:
        progress.begin(GRAPH)
        info = snapshot_index(name=state.name, progress=progress.advance)
    return f"A snapshot of {name} was taken: {filesizeformat(info.bytes or 0)}."


@task()
def rebuild(index_id: str, name: str) -> str:
    with _index(index_id, name) as state:
        progress.begin(GRAPH, state.live_count)
        info = rebuild_index(name=state.name, progress=progress.advance)
    return f"The graph of {name} was built anew and published: {filesizeformat(info.bytes or 0)}."


@task()
def recall(index_id: str, name: str, num: int, k: int) -> str:
    with _index(index_id, name) as state:
        progress.begin(GRAPH)
        build_graph(name=state.name, progress=progress.advance)  # what searches of a server go by
        progress.begin("searching", min(num, state.live_count))
        measured = measure_recall(state=state, num=num, k=k, progress=progress.advance)
    said = f"Searches found {measured.recall:.4f} of the true {k} nearest of {measured.num} items"
    return f"{said}: {measured.ann_ms:.2f} ms a search, {measured.exact_ms:.2f} ms an exact one."


@task()
def merge(index_id: str, name: str, dest_id: str, dest: str, on_conflict: OnConflict, clear_source: bool) -> str:
    with _index(index_id, name) as state, _index(dest_id, dest):
        progress.begin("items looked at", state.live_count)
        how = Merge(dest, clear_source, on_conflict, dry_run=False)
        result = merge_indexes(source=name, merge=how, progress=progress.advance)
    numbers = f"{result.added:,} added, {result.overwritten:,} overwritten, {result.skipped:,} skipped"
    return f"The index {name} was merged into {dest}: {numbers}, {result.deleted:,} removed here."


@contextmanager
def _index(index_id: str, name: str) -> Iterator[IndexState]:
    """Give the state of an index, and let go of its memory afterwards: searches are what the budget is for.

    A name may have been given to another index since the task was queued; that one is left alone.
    """
    try:
        state = index_state(name=name)
    except NotFound:
        state = None
    if state is None or state.id != UUID(index_id):
        raise NotFound(f"The index {name} was dropped before this was begun. Nothing was changed.")
    try:
        yield state
    finally:
        replicas.forget(state.id)
