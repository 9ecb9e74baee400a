"""Folders for files that are being made or read, which go in the end, also those of processes that were killed."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from vectors.objects import scratch_dir

LEFTOVER_SECONDS: Final = 24 * 3600
_PREFIX: Final = "catalog-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield an empty folder, on the disk of the data; it is removed in the end."""
    for left in scratch_dir().glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=scratch_dir()) as folder:
        yield Path(folder)
