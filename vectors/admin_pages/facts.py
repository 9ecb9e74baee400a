"""The first page of an index: its facts, its recall over time, its snapshots."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from lakehouse_site.tasks.looking import state_of, tasks_on
from vectors.admin_pages.base import IndexAdmin, show
from vectors.indexes import MIN_RECALL
from vectors.models import VectorIndex
from vectors.overview import facts_of, list_snapshots
from vectors.pictures import recall_line
from vectors.recall import recall_history

SHOWN_MEASUREMENTS = 60
SHOWN_TASKS = 5


def facts_page(model_admin: IndexAdmin, request: HttpRequest, index: VectorIndex) -> HttpResponse:
    """Everything that is known of an index, to look at."""
    (facts,) = facts_of(indexes=[index])
    history = recall_history(name=index.name, limit=SHOWN_MEASUREMENTS)
    line = recall_line([(one.measured_at, one.recall) for one in reversed(history)], MIN_RECALL)
    return show(
        model_admin,
        request,
        index,
        "facts",
        index.name,
        facts=facts,
        info=facts.info,
        history=history,
        line=line,
        min_recall=MIN_RECALL,
        snapshots=list_snapshots(index_id=index.pk),
        tasks=[(record, state_of(record)) for record in tasks_on(index)[:SHOWN_TASKS]],
    )
