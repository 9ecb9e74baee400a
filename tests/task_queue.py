"""The queue of the admin in tests: tasks and workers as rows, and a worker in this very process."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from django_tasks import task
from django_tasks_db.models import DBTaskResult

from lakehouse_site.tasks.carrying_out import carry_out, claim
from lakehouse_site.tasks.enqueue import enqueue
from lakehouse_site.tasks.looking import HOST
from lakehouse_site.tasks.models import TaskRecord, TaskWorker
from lakehouse_site.tasks.progress import progress
from vectors.models import VectorIndex
from vectors.rows import IndexState


@task()
def wait_for_file(path: str) -> str:
    """Take as long as a test wants."""
    progress.begin("waiting for a file", 1_000)
    while not Path(path).exists():
        progress.advance(1)
        time.sleep(0.05)
    return "The file is there."


@task()
def fail_unexpectedly() -> str:
    raise RuntimeError("the password is hunter2")


def make_worker(worker_id: str = "living", **facts: Any) -> TaskWorker:
    """A worker that was seen just now; on this host it is this process."""
    now = timezone.now()
    facts = {"host": HOST, "pid": os.getpid(), "started_at": now, "seen_at": now} | facts
    return TaskWorker.objects.update_or_create(pk=worker_id, defaults=facts)[0]


def make_task(index: IndexState, *, may_repeat: bool = True, task: Any = wait_for_file, **changes: Any) -> TaskRecord:
    """Queue a task on an index; `changes` are those of its row in the queue."""
    user, _ = User.objects.get_or_create(username="somebody")
    arguments = {"path": os.devnull} if task is wait_for_file else {}
    record = enqueue(
        task=task,
        arguments=arguments,
        title=f"Wait for {index.name}",
        subject=VectorIndex.objects.get(pk=index.id),
        by=user,
        may_repeat=may_repeat,
    )
    if changes:
        DBTaskResult.objects.filter(pk=record.pk).update(**changes)
    return TaskRecord.objects.get(pk=record.pk)


def work_off() -> int:
    """Carry out what is queued, in this process; return how many tasks."""
    count = 0
    while (found := claim("test")) is not None:
        carry_out(found, "test")
        count += 1
    return count
