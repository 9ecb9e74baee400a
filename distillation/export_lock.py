"""One export is written at a time: a lock that goes with the process or connection that holds it, however it ends.

It saves work and keeps two writers of one export apart; that what is published is right does not rest on it (see
`export_records.Attempt`).
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from django.db import Error, connection

from distillation.errors import ExportBusy
from lakehouse_site.errors import DatabaseUnavailable

POLL_SECONDS = 0.2
_ADVISORY_KEY = 7_146_010_412  # any number nobody else locks by


@contextmanager
def export_lock(*, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of exports for a block.

    Raises
    ------
    ExportBusy
        Another process, or thread, still held it after `wait_seconds`.
    """
    with _lock_of_postgres(wait_seconds) if connection.vendor != "sqlite" else _lock_of_sqlite(wait_seconds):
        yield


@contextmanager
def _lock_of_postgres(wait_seconds: float) -> Iterator[None]:
    def take() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_ADVISORY_KEY])
            return bool(cursor.fetchone()[0])

    _wait_for(take, wait_seconds)
    try:
        yield
    finally:
        with suppress(Error), connection.cursor() as cursor:  # a connection that broke has let go of it
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_KEY])


@contextmanager
def _lock_of_sqlite(wait_seconds: float) -> Iterator[None]:
    with _open_lock() as file:

        def take() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        _wait_for(take, wait_seconds)
        yield  # closing the file gives the lock back


def _open_lock() -> IO[bytes]:
    try:
        return open(f"{connection.settings_dict['NAME']}.export-lock", "ab")
    except OSError as error:
        detail = f"The file beside the database that keeps exports apart cannot be opened: {error.strerror}."
        raise DatabaseUnavailable(f"{detail} LAKEHOUSE_DATA_DIR has to be writable.") from error


def _wait_for(take: Callable[[], bool], wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while not take():
        if time.monotonic() >= deadline:
            raise ExportBusy("Another process is writing an export. Ask again when it is done, or list the exports.")
        time.sleep(POLL_SECONDS)
