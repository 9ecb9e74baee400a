"""What a worker does with the rows of the queue. Every step is one transaction, so it may be killed between any two."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.admin.models import CHANGE, LogEntry
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from lakehouse_site.errors import LakehouseError
from lakehouse_site.tasks.looking import living_workers
from lakehouse_site.tasks.models import TaskRecord, TaskWorker
from lakehouse_site.tasks.progress import TaskStopped, progress
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
"""A task is begun so often. What kills its worker each time must not be tried for ever."""

KEEP = timedelta(days=14)
WORKER_ENDED = (
    "The worker ended before it was done. Start it again: nothing is half done, a merge goes on where it was."
)


def has_work() -> bool:
    """Return whether a task waits: a read, which locks nothing."""
    return DBTaskResult.objects.ready().exists()


def claim(worker_id: str) -> DBTaskResult[..., Any] | None:
    """Take the next task, if there is one; nobody else gets it."""

    def work() -> DBTaskResult[..., Any] | None:
        found = DBTaskResult.objects.ready().get_locked()
        if found is not None:
            found.claim(worker_id)
            _record(found.pk).update(worker=worker_id, stage="", done=0, total=None)
        return found

    return run_write(work)


def carry_out(found: DBTaskResult[..., Any], worker_id: str) -> None:
    """Run a task that was claimed and keep what came of it, in words."""
    started = time.perf_counter()
    progress.forget()
    facts: dict[str, Any] = {"task": found.task_path, "task_id": str(found.pk)}
    logger.info("task begun", extra=facts)
    try:
        given = found.args_kwargs
        said, error = found.task.call(*given["args"], **given["kwargs"]), ""
    except TaskStopped:
        give_back(found.pk, worker_id)
        logger.info("task put back", extra=facts)
        return
    except LakehouseError as failure:
        said, error = failure.detail, type(failure).__name__
    except Exception as failure:
        logger.exception("task failed unexpectedly", extra=facts)
        # Not its own words: those of a driver may quote an address with its password.
        error = type(failure).__name__
        said = f"It failed: {error}. The worker's log says more."
    facts |= {"seconds": time.perf_counter() - started}
    if not _finish(found, worker_id, said.replace("\0", ""), error):
        logger.warning("task was taken over", extra=facts)
    elif error:
        logger.warning("task failed", extra=facts | {"reason": said})
    else:
        logger.info("task done", extra=facts)


def _finish(found: DBTaskResult[..., Any], worker_id: str, said: str, error: str) -> bool:
    """Keep the outcome, unless somebody thought this worker dead and went on without it."""
    status = TaskResultStatus.FAILED if error else TaskResultStatus.SUCCESSFUL

    def work() -> bool:
        if not _end(found.pk, worker_id, status, error):
            return False
        _record(found.pk).update(said=said, **progress.facts())
        record = TaskRecord.objects.get(pk=found.pk)
        if not error and record.started_by_id is not None:
            LogEntry.objects.create(
                user_id=record.started_by_id,
                content_type_id=record.subject_type_id,
                object_id=record.subject_id,
                object_repr=record.subject_name[:200],
                action_flag=CHANGE,
                change_message=said,
            )
        return True

    return run_write(work)


def give_back(task_id: UUID, worker_id: str) -> None:
    """Put a task back into the queue, as if it had not been begun."""

    def work() -> None:
        found = _mine(task_id, worker_id).first()
        if found is not None:
            attempts = [one for one in found.worker_ids if one != worker_id]
            _queue_again(task_id, worker_ids=attempts)

    run_write(work)


def recover() -> int:
    """See to the tasks of workers that are dead: run again what may be, else say that it failed; return how many."""
    living = [worker.id for worker in living_workers()]
    lost = TaskRecord.objects.filter(result__status=TaskResultStatus.RUNNING).exclude(worker__in=living)
    recovered = 0
    for task_id, worker_id in lost.values_list("pk", "worker"):
        recovered += run_write(lambda task_id=task_id, worker_id=worker_id: _recover(task_id, worker_id))  # type: ignore[misc]
    return recovered


def _recover(task_id: UUID, worker_id: str) -> bool:
    found = _mine(task_id, worker_id).first()
    if found is None:
        return False  # somebody was faster
    record = TaskRecord.objects.get(pk=task_id)
    if record.may_repeat and len(found.worker_ids) < MAX_ATTEMPTS:
        _queue_again(task_id)
    else:
        _end(task_id, worker_id, TaskResultStatus.FAILED, "WorkerEnded")
        _record(task_id).update(said=WORKER_ENDED)
    logger.warning("task of a dead worker", extra={"task_id": str(task_id), "worker": worker_id})
    return True


def prune() -> int:
    """Delete what has been finished for long, and workers that are long gone; return how many tasks."""
    now = timezone.now()
    old = DBTaskResult.objects.finished().filter(finished_at__lte=now - KEEP)
    gone = TaskWorker.objects.filter(seen_at__lte=now - timedelta(days=1))
    if not (old.exists() or gone.exists()):
        return 0

    def work() -> int:
        gone.all().delete()
        _, each = old.all().delete()
        return each.get("tasks.TaskRecord", 0)

    return run_write(work)


def _record(task_id: UUID) -> Any:
    return TaskRecord.objects.filter(pk=task_id)


def _mine(task_id: UUID, worker_id: str) -> Any:
    """Return the task while it runs with this worker, to change it in this transaction."""
    held = _record(task_id).filter(worker=worker_id)
    running = DBTaskResult.objects.select_for_update().filter(pk=task_id, status=TaskResultStatus.RUNNING)
    return running if held.exists() else running.none()


def _end(task_id: UUID, worker_id: str, status: TaskResultStatus, error: str) -> bool:
    found = _mine(task_id, worker_id).first()
    if found is None:
        return False
    found.status, found.finished_at = status, timezone.now()
    found.exception_class_path, found.traceback = error, ""
    found.save(update_fields=["status", "finished_at", "exception_class_path", "traceback"])
    return True


def _queue_again(task_id: UUID, **changes: Any) -> None:
    again = {"status": TaskResultStatus.READY, "started_at": None, **changes}
    DBTaskResult.objects.filter(pk=task_id).update(**again)
    _record(task_id).update(worker="", stage="", done=0, total=None)
