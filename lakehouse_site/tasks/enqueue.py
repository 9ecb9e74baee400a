"""Putting a task into the queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.urls import reverse
from django_tasks.base import Task

from lakehouse_site.tasks.models import TaskRecord
from vectors.transactions import run_write

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser


def enqueue(
    *,
    task: Task[..., str],
    arguments: Mapping[str, Any],
    title: str,
    subject: Model,
    by: AbstractBaseUser | AnonymousUser,
    may_repeat: bool = True,
) -> TaskRecord:
    """Queue a task for the worker.

    Parameters
    ----------
    task, arguments
        What to call, with JSON values.
    title
        What it does, in words.
    subject
        What it is done with; whoever may view that may see the task.
    by
        Who started it. Their permission was asked before.
    may_repeat
        Whether a worker may run it once more when the first one was killed.
    """

    def work() -> TaskRecord:
        queued = task.enqueue(**arguments)
        return TaskRecord.objects.create(
            result_id=queued.id,
            title=title,
            subject_type=ContentType.objects.get_for_model(subject),
            subject_id=str(subject.pk),
            subject_name=str(subject),
            started_by_id=by.pk,
            started_by_name=by.get_username(),
            may_repeat=may_repeat,
        )

    return run_write(work)


def address_of(record: TaskRecord) -> str:
    """Return the address of the page that shows a task."""
    return reverse("admin:tasks_taskrecord_change", args=[record.pk])
