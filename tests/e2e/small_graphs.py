"""`manage.py` with graphs from a handful of items on, so that a test need not store 10,000 to meet one.

Run as ``python -m tests.e2e.small_graphs MIN_ITEMS serve ...``. The server's worker is forked from this process and so
inherits the change.
"""

from __future__ import annotations

import functools
import os
import sys


def build_graphs_above(min_items: int) -> None:
    """Make every graph of this process start above this number of items."""
    from vectors import replica
    from vectors.graph import SearchGraph

    small = functools.partial(SearchGraph, graph_min_items=min_items)
    setattr(replica, "SearchGraph", small)  # noqa: B010  the class is not exported from there


def main() -> None:
    import django
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    build_graphs_above(int(sys.argv[1]))
    execute_from_command_line(["manage.py", *sys.argv[2:]])


if __name__ == "__main__":
    main()
