"""The process that carries out tasks, one after the other.

Once a second it looks into the queue, which is a read. A second thread is its pulse: it says every `PULSE_SECONDS` that
the worker lives, takes the progress of the task to the database, and sees whether the server that started it is gone.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import threading
import time
from typing import Any
from uuid import UUID

from django.db import Error, connection
from django.db.models.functions import Now
from django_tasks.base import TaskResultStatus

from lakehouse_site.errors import LakehouseError
from lakehouse_site.tasks.carrying_out import carry_out, claim, give_back, has_work, prune, recover
from lakehouse_site.tasks.looking import HOST
from lakehouse_site.tasks.models import TaskRecord, TaskWorker
from lakehouse_site.tasks.progress import progress
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
PROGRESS_SECONDS = 1.0
PULSE_SECONDS = 15.0
PRUNE_SECONDS = 3_600.0
OUTAGE_SECONDS = 5.0
STOP_SECONDS = 8.0
"""What a task may still take to come to a place where it can let go; then it is cut off, and begun anew later."""


class Worker:
    """One worker.

    Parameters
    ----------
    parent
        The process to end with, None to live alone. It alone hears Ctrl-C then, and passes it on.
    """

    def __init__(self, parent: int | None = None) -> None:
        self.id = secrets.token_hex(16)
        self.parent = parent
        self.is_stopping = False
        self._wake, self._ended = threading.Event(), threading.Event()
        self._task_id: UUID | None = None
        self._shown: dict[str, Any] = {}

    def run(self) -> None:
        """Carry out tasks until the process is asked to end."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN if self.parent else self.stop)
        progress.must_stop = lambda: self.is_stopping
        self._register()
        pulse = threading.Thread(target=self._beat, name="pulse", daemon=True)
        pulse.start()
        logger.info("worker started", extra={"worker": self.id})
        try:
            while not self.is_stopping:
                self._wake.wait(self._work())
        except (Error, LakehouseError) as error:
            # Nobody knows what was kept of the task. The next worker does, from the rows.
            logger.error("worker lost the database", extra={"reason": str(error)})
            raise SystemExit(1) from None
        finally:
            self._ended.set()
            pulse.join()
            self._unregister()
            connection.close()
        logger.info("worker ended", extra={"worker": self.id})

    def stop(self, *_: Any) -> None:
        """Ask it to end."""
        if not self.is_stopping:
            self.is_stopping = True
            # Not here: a handler may interrupt the very `wait` whose lock `set` would take.
            threading.Thread(target=self._end_in_time, name="end", daemon=True).start()

    def _work(self) -> float:
        """Carry out the next task; return for how long to wait before looking again."""
        try:
            is_idle = not has_work()
        except Error as error:
            logger.warning("worker waits for the database", extra={"reason": str(error)})
            connection.close()
            return OUTAGE_SECONDS
        found = None if is_idle else claim(self.id)
        if found is None:
            return POLL_SECONDS
        self._task_id = found.pk
        try:
            carry_out(found, self.id)
        finally:
            self._task_id = None
        return 0.0

    def _end_in_time(self) -> None:
        self._wake.set()
        if self._ended.wait(STOP_SECONDS):
            return
        task_id = self._task_id
        logger.warning("task cut off at the end of the worker", extra={"task_id": str(task_id)})
        try:
            if task_id is not None:
                give_back(task_id, self.id)
            self._unregister()
        finally:
            os._exit(0)

    def _beat(self) -> None:
        beaten = pruned = time.monotonic() - PRUNE_SECONDS
        while not self._ended.wait(PROGRESS_SECONDS):
            if self.parent is not None and os.getppid() != self.parent:
                self.stop()
            try:
                self._show_progress()
                now = time.monotonic()
                if now - beaten >= PULSE_SECONDS:
                    self._register()
                    recover()
                    beaten = now
                if now - pruned >= PRUNE_SECONDS:
                    prune()
                    pruned = now
            except (Error, LakehouseError) as error:
                logger.warning("worker could not say that it lives", extra={"reason": str(error)})
                connection.close()
        connection.close()

    def _show_progress(self) -> None:
        task_id, facts = self._task_id, progress.facts()
        if task_id is None or facts == self._shown:
            return
        running = TaskRecord.objects.filter(pk=task_id, worker=self.id, result__status=TaskResultStatus.RUNNING)
        run_write(lambda: running.update(**facts))
        self._shown = facts

    def _register(self) -> None:
        """Say that this worker lives. Another one with its process number cannot."""
        facts = {"host": HOST, "pid": os.getpid(), "seen_at": Now()}

        def work() -> None:
            TaskWorker.objects.filter(host=HOST, pid=os.getpid()).exclude(pk=self.id).delete()
            if not TaskWorker.objects.filter(pk=self.id).update(**facts):
                TaskWorker.objects.create(pk=self.id, started_at=Now(), **facts)

        run_write(work)

    def _unregister(self) -> None:
        try:
            run_write(lambda: TaskWorker.objects.filter(pk=self.id).delete())
        except (Error, LakehouseError):
            logger.warning("worker could not sign off", extra={"worker": self.id})
