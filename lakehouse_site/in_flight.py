"""How many requests this process is answering, so that a long one can let short ones pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE_SECONDS = 0.0005
"""Long enough for a thread that waits for the interpreter lock to get it; measured beside JSON adds of 1,000 × 384,
searches had a p99 of 33 ms with it and of 55 ms without."""

_lock = threading.Lock()
_count = 0


@contextmanager
def counted() -> Iterator[None]:
    """Count a request while it is answered."""
    global _count
    with _lock:
        _count += 1
    try:
        yield
    finally:
        with _lock:
            _count -= 1


def give_way() -> None:
    """Pause for a moment if other requests are being answered; for work that holds the interpreter lock for long."""
    if _count > 1:
        time.sleep(PAUSE_SECONDS)
