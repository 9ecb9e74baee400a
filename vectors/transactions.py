"""The one way to write: a short durable transaction, retried where the database asks for it.

On SQLite a lock on a file beside the database is taken first. Its own busy handler polls, so of two writing processes
one can starve the other for seconds; waiting for a file lock puts them in a queue.
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import OperationalError, connection, transaction

from lakehouse_site.errors import DatabaseUnavailable

Result = TypeVar("Result")

MAX_TRIES = 8
LOCK_TIMEOUT_SECONDS = 30.0
RETRY_SQLSTATES = frozenset({"40001", "40P01"})  # serialization failure, deadlock

_writer_of_this_process = threading.Lock()


def run_write(work: Callable[[], Result]) -> Result:
    """Run `work` in one durable transaction and return what it returns.

    Raises
    ------
    DatabaseUnavailable
        Another writer held the lock for too long.
    RuntimeError
        Called inside another transaction: its rollback would take back a write that was answered.
    """
    for attempt in range(1, MAX_TRIES + 1):
        try:
            with _queue(), transaction.atomic(durable=True):
                return work()
        except OperationalError as error:
            if attempt == MAX_TRIES or _sqlstate(error) not in RETRY_SQLSTATES:
                raise
            time.sleep(0.005 * attempt)
    raise AssertionError("unreachable")


@contextmanager
def _queue() -> Iterator[None]:
    if connection.vendor != "sqlite":
        yield
        return
    # Threads wait here, with a limit; then at most one thread of each process waits for the file.
    if not _writer_of_this_process.acquire(timeout=LOCK_TIMEOUT_SECONDS):
        raise DatabaseUnavailable(f"Another write has held the database for over {LOCK_TIMEOUT_SECONDS:.0f} seconds.")
    try:
        with open(f"{connection.settings_dict['NAME']}.write-lock", "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # the kernel lets go of it when the process ends, however it ends
            yield
    finally:
        _writer_of_this_process.release()


def _sqlstate(error: OperationalError) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)
