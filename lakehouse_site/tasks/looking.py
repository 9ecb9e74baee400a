"""What is to be seen of the queue: tasks, for whom they are, and the workers that live."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django_tasks.base import TaskResultStatus

from lakehouse_site.tasks.models import TaskRecord, TaskWorker

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser, AnonymousUser

DEAD_AFTER = timedelta(seconds=60)
"""A worker that was not seen for so long is taken for dead."""

HOST = socket.gethostname()
NO_WORKER = "No worker is running: type `manage.py worker`, or restart the server with LAKEHOUSE_WORKER=1."
FAILURES_FOR = timedelta(days=1)

TaskState = Literal["waiting", "running", "done", "failed"]
STATES: dict[str, TaskState] = {
    TaskResultStatus.READY: "waiting",
    TaskResultStatus.RUNNING: "running",
    TaskResultStatus.SUCCESSFUL: "done",
    TaskResultStatus.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """How many tasks there are, those that failed within a day, and the workers that live."""

    waiting: int
    running: int
    failed: int
    workers: int


def living_workers() -> list[TaskWorker]:
    """Return the workers that live. One of this machine that was killed is known at once, another after a minute."""
    fresh = TaskWorker.objects.filter(seen_at__gte=Now() - DEAD_AFTER)
    return [worker for worker in fresh if worker.host != HOST or _exists(worker.pid)]


def queue_facts() -> QueueFacts:
    """Count."""
    of_state = {state: TaskRecord.objects.filter(result__status=state) for state in STATES}
    lately = timezone.now() - FAILURES_FOR
    return QueueFacts(
        waiting=of_state[TaskResultStatus.READY].count(),
        running=of_state[TaskResultStatus.RUNNING].count(),
        failed=of_state[TaskResultStatus.FAILED].filter(result__finished_at__gte=lately).count(),
        workers=len(living_workers()),
    )


def state_of(record: TaskRecord) -> TaskState:
    """Return the state of a task in a word."""
    return STATES[record.result.status]


def tasks_on(subject: Model) -> QuerySet[TaskRecord]:
    """Return the tasks done with something, the latest first."""
    kind = ContentType.objects.get_for_model(subject)
    found = TaskRecord.objects.filter(subject_type=kind, subject_id=str(subject.pk))
    return found.select_related("result")


def visible_tasks(user: AbstractUser | AnonymousUser) -> QuerySet[TaskRecord]:
    """Return the tasks somebody may see: those on what they may view."""
    kinds = ContentType.objects.filter(pk__in=TaskRecord.objects.order_by().values("subject_type"))
    allowed = [kind.pk for kind in kinds if _may_view(user, kind)]
    return TaskRecord.objects.filter(subject_type__in=allowed).select_related("result")


def may_see(user: AbstractUser | AnonymousUser, record: TaskRecord) -> bool:
    """Return whether somebody may see a task."""
    return _may_view(user, record.subject_type)


def _may_view(user: AbstractUser | AnonymousUser, kind: ContentType) -> bool:
    return any(user.has_perm(f"{kind.app_label}.{what}_{kind.model}") for what in ("view", "change"))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True
