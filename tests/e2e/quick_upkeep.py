"""`manage.py` with small graphs, where an index is idle and a tombstone old at once.

Run as ``python -m tests.e2e.quick_upkeep MIN_ITEMS serve ...``, like `small_graphs`.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta


def make_everything_due() -> None:
    """Let snapshots, purges and deletions of files be due as soon as there is something to do."""
    from vectors import maintenance, snapshot_records

    maintenance.IDLE = maintenance.TOMBSTONE_AGE = snapshot_records.GRACE = timedelta(0)


def main() -> None:
    import django
    from django.core.management import execute_from_command_line

    from tests.e2e.small_graphs import build_graphs_above

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    build_graphs_above(int(sys.argv[1]))
    make_everything_due()
    execute_from_command_line(["manage.py", *sys.argv[2:]])


if __name__ == "__main__":
    main()
