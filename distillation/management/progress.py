from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error, nothing where that is no terminal; yield what moves it on."""
    with tqdm(unit=f" {what}", file=sys.stderr, disable=not sys.stderr.isatty(), dynamic_ncols=True) as bar:

        def move(count: int) -> None:
            bar.update(count)

        yield move
