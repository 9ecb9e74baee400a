"""The one way to write: a short durable transaction, retried where the database asks for it.

On SQLite a lock on a file beside the database is taken first. Its own busy handler polls, so of two writing processes
one can starve the other for seconds; waiting for a file lock puts them in a queue.

A connection to Postgres that breaks takes the transaction with it, so the work is done again on a new one. Only when it
breaks while COMMIT is under way, nobody can know what has become of it; the caller is told so.
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TypeVar

from django.db import Error, connection, transaction

from lakehouse_site.errors import DatabaseUnavailable
from lakehouse_site.outages import code_of, may_read_again, outage_of

Result = TypeVar("Result")

MAX_TRIES = 8
LOCK_TIMEOUT_SECONDS = 30.0
RETRY_SQLSTATES = frozenset({"40001", "40P01"})  # serialization failure, deadlock
PERHAPS = "It was being committed and may or may not have been applied. Sending it again is safe."

_writer_of_this_process = threading.Lock()


def run_write(work: Callable[[], Result]) -> Result:
    """Run `work` in one durable transaction and return what it returns.

    `work` may be run several times, each time on what the database then holds.

    Raises
    ------
    DatabaseUnavailable
        Another writer held the lock for too long, or nobody knows whether the work was committed.
    RuntimeError
        Called inside another transaction: its rollback would take back a write that was answered.
    """
    for attempt in range(1, MAX_TRIES + 1):
        raw, is_committing = None, False
        try:
            with _queue(), transaction.atomic(durable=True):
                raw = connection.connection
                result = work()
                is_committing = True
            return result
        except Error as error:
            is_broken = connection.vendor != "sqlite" and raw is not None and raw.closed
            may_read_again(connection)  # lets go of a connection that has broken
            code = code_of(error)
            if is_committing and (is_broken or code.startswith("SQLITE_IOERR")):
                outage = outage_of(error) or DatabaseUnavailable("The connection to the database was lost.")
                raise DatabaseUnavailable(f"{outage.detail} {PERHAPS}") from error
            if attempt == MAX_TRIES or not (is_broken or code in RETRY_SQLSTATES):
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
        with _open_lock() as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # the kernel lets go of it when the process ends, however it ends
            yield
    finally:
        _writer_of_this_process.release()


def _open_lock() -> IO[bytes]:
    try:
        return open(f"{connection.settings_dict['NAME']}.write-lock", "ab")
    except OSError as error:
        detail = f"The file beside the database that keeps writers apart cannot be opened: {error.strerror}."
        raise DatabaseUnavailable(f"{detail} LAKEHOUSE_DATA_DIR has to be writable and to have free space.") from error
