"""What a worker does to itself before it touches anything that somebody sent.

The limits are set by the worker and not between fork and exec: code there is not safe in a process with threads.
"""

from __future__ import annotations

import os
import resource
import threading
from pathlib import Path
from typing import Final

_MEBIBYTE: Final = 1024 * 1024
ROOM_MB: Final = 768
"""Address space beyond the memory a task may use: stacks of threads, and what Arrow holds of the input."""
MAX_OPEN_FILES: Final = 512


def limit_process(*, memory_mb: int, cpu_seconds: int, may_write_files: bool) -> None:
    """Limit this process for good: address space, CPU time, size of files it writes, no core dump.

    Parameters
    ----------
    memory_mb
        MiB beyond what is mapped now; call it after the imports.
    cpu_seconds
        Of all threads together. The system ends the process one second after it, whatever it does.
    may_write_files
        False: not a single byte can be written into a file (EFBIG); pipes are not files.
    """
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, mapped + (memory_mb + ROOM_MB) * _MEBIBYTE)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    if not may_write_files:
        _limit(resource.RLIMIT_FSIZE, 0)


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def end_with_parent(lifeline: int) -> None:
    """End this process at once when the other end of the pipe `lifeline` is closed, as when its process has died."""

    def wait() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
