"""A fair readers-writer lock.

hnswlib searches may run side by side, but never beside an insertion. A lock that prefers readers would let a steady
stream of searches hold up the writer for ever; one that prefers writers would stall searches while a bulk load runs.
Here who comes first goes first: readers that wait behind a writer go in together when it leaves.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class FairReadWriteLock:
    """Many readers or one writer, served in order of arrival. Not re-entrant."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._readers = 0
        self._writing = False
        self._waiting: deque[tuple[bool, threading.Lock]] = deque()

    @contextmanager
    def read(self) -> Iterator[None]:
        """Hold the lock together with other readers."""
        self._enter(is_writer=False)
        try:
            yield
        finally:
            with self._mutex:
                self._readers -= 1
                self._admit()

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold the lock alone."""
        self._enter(is_writer=True)
        try:
            yield
        finally:
            with self._mutex:
                self._writing = False
                self._admit()

    def _enter(self, *, is_writer: bool) -> None:
        with self._mutex:
            if not self._waiting and self._can_enter(is_writer):
                self._take(is_writer)
                return
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append((is_writer, gate))
        gate.acquire()  # released by `_admit`, which has already taken the place for us

    def _can_enter(self, is_writer: bool) -> bool:
        return not self._writing and not (is_writer and self._readers)

    def _take(self, is_writer: bool) -> None:
        if is_writer:
            self._writing = True
        else:
            self._readers += 1

    def _admit(self) -> None:
        while self._waiting and self._can_enter(self._waiting[0][0]):
            is_writer, gate = self._waiting.popleft()
            self._take(is_writer)
            gate.release()
