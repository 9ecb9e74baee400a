from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(total: int | None, what: str) -> tqdm[Any]:
    """Return a progress bar on standard error, silent where that is no terminal."""
    return tqdm(total=total, unit=f" {what}", file=sys.stderr, disable=not sys.stderr.isatty(), dynamic_ncols=True)
