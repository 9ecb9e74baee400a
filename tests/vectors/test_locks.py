from __future__ import annotations

import threading
from collections.abc import Callable

from vectors.locks import FairReadWriteLock

PATIENCE_SECONDS = 10.0


def start(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def wait_until_queued(lock: FairReadWriteLock, count: int) -> None:
    deadline = threading.Event()
    for _ in range(int(PATIENCE_SECONDS * 1000)):
        if len(lock._waiting) == count:
            return
        deadline.wait(0.001)
    raise AssertionError(f"{count} threads never queued up")


def test_readers_share_the_lock() -> None:
    lock = FairReadWriteLock()
    both_inside = threading.Barrier(2)

    def read() -> None:
        with lock.read():
            both_inside.wait(PATIENCE_SECONDS)

    threads = [start(read), start(read)]
    for thread in threads:
        thread.join(PATIENCE_SECONDS)

    assert not both_inside.broken


def test_who_comes_first_goes_first_and_readers_behind_a_writer_go_together() -> None:
    lock = FairReadWriteLock()
    order: list[str] = []
    late_readers = threading.Barrier(2)

    def write() -> None:
        with lock.write():
            order.append("write")

    def read() -> None:
        with lock.read():
            late_readers.wait(PATIENCE_SECONDS)
            order.append("read")

    with lock.read():
        threads = [start(write)]
        wait_until_queued(lock, 1)
        threads += [start(read)]
        wait_until_queued(lock, 2)
        threads += [start(read)]
        wait_until_queued(lock, 3)
        assert order == []  # a reader that came later must not pass the waiting writer
    for thread in threads:
        thread.join(PATIENCE_SECONDS)

    assert order == ["write", "read", "read"]


def test_writers_are_alone_under_contention() -> None:
    lock = FairReadWriteLock()
    inside = 0
    seen: list[int] = []

    def work() -> None:
        nonlocal inside
        for turn in range(300):
            if turn % 3:
                with lock.read():
                    seen.append(inside)
            else:
                with lock.write():
                    inside += 1
                    seen.append(inside - 1)
                    inside -= 1

    threads = [start(work) for _ in range(6)]
    for thread in threads:
        thread.join(PATIENCE_SECONDS)

    assert seen == [0] * (6 * 300)


def test_an_exception_inside_releases_the_lock() -> None:
    lock = FairReadWriteLock()
    for hold in (lock.read, lock.write):
        try:
            with hold():
                raise ValueError
        except ValueError:
            pass
    with lock.write():
        pass
