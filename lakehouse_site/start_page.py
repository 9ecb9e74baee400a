"""What the start page of the admin tells: is everything well? Each part looks for itself and none can fail the page."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

import django
from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.timesince import timesince

from catalog.overview import catalog_facts
from distillation.export_reads import list_exports, list_notices
from distillation.quarantine_reads import list_quarantine
from drift.alerts import list_alerts
from lakehouse_site import VERSION
from lakehouse_site.errors import LakehouseError
from lakehouse_site.health import STORAGE_PATIENCE_SECONDS, storage_fault
from lakehouse_site.tasks.looking import NO_WORKER, queue_facts
from vectors.indexes import MIN_RECALL, list_indexes
from vectors.overview import IndexFacts, facts_of

logger = logging.getLogger(__name__)

STORAGE_SECONDS = 1.0
"""How long the page waits for the storage; the look goes on after that, and the next page tells what it found."""

UNSAVED_AGE = timedelta(hours=2)
"""Changes should not be without a snapshot for longer: maintenance takes one after an hour at the latest."""

SHOWN = 3

State = Literal["good", "look", "bad", "unknown"]
WORDS: dict[State, str] = {"good": "well", "look": "look here", "bad": "trouble", "unknown": "not known"}


@dataclass(frozen=True, slots=True)
class Link:
    """A line that leads to a page of the admin: the name of its route, with arguments or a query."""

    text: str
    route: str
    args: tuple[Any, ...] = ()
    query: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that may be well or not, and what is to be said of it."""

    title: str
    state: State
    summary: str
    links: tuple[Link, ...] = ()
    details: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """The state for those who see no colours."""
        return WORDS[self.state]


def look_around(*, may: Callable[[str], bool]) -> list[Part]:
    """Return the parts somebody may know of.

    Parameters
    ----------
    may
        Whether the person has a Django permission, ``app.view_thing``.
    """
    return [_safely(title, look) for title, permission, look in _LOOKS if not permission or may(permission)]


def sum_up(parts: Sequence[Part]) -> tuple[State, str]:
    """Return the worst state, and a sentence that names the parts that are not well."""
    for state in ("bad", "look", "unknown"):
        if any(part.state == state for part in parts):
            named = [f"{part.title} ({part.word})" for part in parts if part.state != "good"]
            return state, f"Not everything is well: {', '.join(named)}."
    return "good", "Everything is well."


def _safely(title: str, look: Callable[[], Part]) -> Part:
    try:
        return replace(look(), title=title)
    except (LakehouseError, TimeoutError) as error:
        return Part(title, "unknown", "Not known.", details=(str(error),))
    except Exception as error:  # whatever it is: the other parts are worth seeing all the same
        logger.warning("part of the start page failed", exc_info=True, extra={"part": title})
        # Not its own words: those of a driver may quote an address with its password.
        return Part(title, "unknown", "Not known.", details=(f"{type(error).__name__}; the server's log says more.",))


def _index_link(facts: IndexFacts, text: str) -> Link:
    return Link(text, "vectors_vectorindex_change", (facts.id,))


def _facts() -> list[IndexFacts]:
    return facts_of(indexes=list(list_indexes()))


def _indexes() -> Part:
    found = _facts()
    items = sum(facts.info.count for facts in found)
    memory = sum(facts.memory_bytes or 0 for facts in found)
    loaded = sum(facts.memory_bytes is not None for facts in found)
    links = (Link("All indexes", "vectors_vectorindex_changelist"),)
    summary = f"{_counted(items, 'item')} in {_counted(len(found), 'index', 'indexes')}."
    details = (f"{loaded} in the memory of this process: {memory / 2**20:,.1f} of {_budget()} MiB.",)
    return Part("", "good", summary if found else "No index yet.", links, details)


def _budget() -> str:
    return f"{settings.LAKEHOUSE_VECTOR_MEMORY_MB:,}"


def _snapshots() -> Part:
    found = [facts for facts in _facts() if facts.info.seq]
    failed = [facts for facts in found if facts.info.snapshot and facts.info.snapshot.error]
    now = timezone.now()
    # What was never changed since needs no newer one, however old it is.
    late = [one for one in found if one.unsaved_changes and now - _saved_at(one) > UNSAVED_AGE and one not in failed]
    links = [_index_link(facts, f"{facts.info.name}: the last one failed") for facts in failed]
    links += [
        _index_link(facts, f"{facts.info.name}: {facts.unsaved_changes:,} changes since the last one") for facts in late
    ]
    ages = [(facts.snapshot_at, facts.info.name) for facts in found if facts.snapshot_at]
    if not found:
        return Part("", "good", "Nothing to save yet.")
    summary = "No snapshot yet."
    if ages:
        oldest, name = min(ages)
        summary = f"The oldest is {timesince(oldest, depth=1)} old ({name})."
    missing = len(found) - len(ages)
    details = (f"{_counted(missing, 'index', 'indexes')} without one yet.",) if missing and ages else ()
    return Part("", "bad" if failed else "look" if late else "good", summary, tuple(links[:SHOWN]), details)


def _saved_at(facts: IndexFacts) -> Any:
    return facts.snapshot_at or facts.info.created_at


def _recall() -> Part:
    found = _facts()
    measured = [(facts.info.recall.recall, facts) for facts in found if facts.info.recall]
    low = sorted(((recall, facts) for recall, facts in measured if recall < MIN_RECALL), key=lambda pair: pair[0])
    links = tuple(_index_link(facts, f"{facts.info.name}: {recall:.3f}") for recall, facts in low[:SHOWN])
    if low:
        return Part("", "look", f"{_counted(len(low), 'index', 'indexes')} below {MIN_RECALL}.", links)
    if not measured:
        return Part("", "good", "Not measured yet.")
    lowest, facts = min(measured, key=lambda pair: pair[0])
    missing = len(found) - len(measured)
    details = (f"{_counted(missing, 'index', 'indexes')} not measured yet.",) if missing else ()
    return Part("", "good", f"The lowest last one is {lowest:.3f} ({facts.info.name}).", (), details)


def _storage() -> Part:
    kind = f"S3 bucket {settings.LAKEHOUSE_S3_BUCKET}" if settings.LAKEHOUSE_S3_BUCKET else "local files"
    started = time.perf_counter()
    fault = storage_fault(STORAGE_SECONDS)
    if fault is not None:
        return Part("", "bad", fault.detail, details=(f"{kind}, given up after {STORAGE_PATIENCE_SECONDS:.0f} s.",))
    took = 1000 * (time.perf_counter() - started)
    return Part("", "good", f"Writes, reads and deletes: {kind}.", details=(f"Looked at in {took:.0f} ms just now.",))


def _database() -> Part:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
        version = str(cursor.fetchone()[0])
    name = "SQLite" if connection.vendor == "sqlite" else "Postgres"
    return Part("", "good", f"{name} {version}.")


def _version() -> Part:
    runs_on = f"Python {platform.python_version()}, Django {django.get_version()}."
    return Part("", "good", f"Lakehouse {VERSION}.", details=(runs_on,))


def _tables() -> Part:
    found = catalog_facts()
    links = [Link("All tables", "catalog_relation_changelist")]
    failed = list(found.failed_queries[:SHOWN])
    links[:0] = [Link(f"Query {one.status}: {one.detail[:80]}", "catalog_queryrun_change", (one.pk,)) for one in failed]
    last = found.last_commit
    details = (f"Last commit: {last.relation}, {timesince(last.committed_at, depth=1)} ago.",) if last else ()
    if failed:
        details = (*details, f"{_counted(found.failed_queries.count(), 'query', 'queries')} failed within a day.")
    summary = (
        f"{_counted(found.rows, 'row')} in {_counted(found.tables, 'table')}." if found.tables else "No table yet."
    )
    # A column that is not there is a matter between the query and who wrote it.
    state: State = "look" if any(one.status != "failed" for one in failed) else "good"
    return Part("", state, summary, tuple(links), details)


def _exports() -> Part:
    latest = list(list_exports().defer("manifest", "audit", "config", "key_figures")[:SHOWN])
    notices = list_notices(only_open=True).count()
    links = [
        Link(
            f"{one.kind} {one.export_id[:12]}: {one.status}, {one.rows:,} rows", "distillation_export_change", (one.pk,)
        )
        for one in latest
    ]
    is_failed = bool(latest) and latest[0].status == "failed"
    if notices:
        text = _counted(notices, "open recall notice")
        links.insert(0, Link(text, "distillation_recallnotice_changelist", query="acknowledged_at__isempty=1"))
    summary = f"The last one was begun {timesince(latest[0].started_at, depth=1)} ago." if latest else "None yet."
    return Part("", "bad" if is_failed else "look" if notices else "good", summary, tuple(links))


def _drift() -> Part:
    open_alerts = list_alerts(state="open")
    count = open_alerts.count()
    links = tuple(Link(one.summary, "drift_driftalert_change", (one.pk,)) for one in open_alerts[:SHOWN])
    if not count:
        return Part("", "good", "No open alert.")
    more = (Link("All open alerts", "drift_driftalert_changelist", query="state__exact=open"),)
    return Part("", "look", f"{_counted(count, 'open alert')}.", (*links, *more))


def _quarantine() -> Part:
    count = list_quarantine().count()
    if not count:
        return Part("", "good", "No line waits for a decision.")
    link = Link("Review them", "distillation_quarantinedline_changelist", query="status__exact=open")
    summary = f"{_counted(count, 'line')} {'wait' if count > 1 else 'waits'} for a decision."
    return Part("", "look", summary, (link,))


def _tasks() -> Part:
    found = queue_facts()
    links = [Link("All tasks", "tasks_taskrecord_changelist")]
    if found.failed:
        text = f"{_counted(found.failed, 'task')} failed within a day"
        links.insert(0, Link(text, "tasks_taskrecord_changelist", query="result__status__exact=FAILED"))
    state: State = "good" if found.workers and not found.failed else "look"
    if found.waiting and not found.workers:
        state = "bad"
    summary = f"{found.running} running, {found.waiting} waiting." if found.running or found.waiting else "None waits."
    return Part("", state, summary, tuple(links), () if found.workers else (NO_WORKER,))


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


_LOOKS: tuple[tuple[str, str, Callable[[], Part]], ...] = (
    ("Indexes", "vectors.view_vectorindex", _indexes),
    ("Snapshots", "vectors.view_vectorindex", _snapshots),
    ("Recall", "vectors.view_vectorindex", _recall),
    ("Tables", "catalog.view_relation", _tables),
    ("Tasks", "vectors.view_vectorindex", _tasks),
    ("Exports", "distillation.view_export", _exports),
    ("Drift", "drift.view_driftalert", _drift),
    ("Quarantine", "distillation.view_quarantinedline", _quarantine),
    ("Object storage", "", _storage),
    ("Database", "", _database),
    ("Version", "", _version),
)
