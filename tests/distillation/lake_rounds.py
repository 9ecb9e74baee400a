"""Runs, exports, and rounds of commands in processes that may kill themselves: ``python -m … STEPS``.

STEPS is JSON: ``["add", FIRST, COUNT]`` brings in runs, ``["export"]`` makes an export of all, and
``["run", COMMAND, [[COUNT, POINT], …]]`` starts processes at once. Points are those of
`tests.distillation.export_fault_point`; COUNT 0 kills nothing. What is printed is JSON too: the exit statuses of the
processes of each step, and what then is in the tables and in the database.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.distillation.export_fault_point import arm
from tests.drift.check_fault_point import in_a_process, status_of


def add(first: int, count: int) -> None:
    from tests.distillation.exporting import a_run, ingest

    ingest(*[a_run(f"run-{number}") for number in range(first, first + count)])


def export() -> None:
    from tests.distillation.exporting import export as make_export

    make_export()


def run(command: str, count: int, point: str) -> None:
    from django.core.management import call_command

    if count:
        arm(point, count)
    call_command(command)


def found() -> dict[str, Any]:
    from distillation.models import ScoredRun, StageDecision
    from tests.catalog.own_rows import data_files_of, data_files_on_disk, rows_of, summaries_of

    decisions = rows_of("export_decisions").select(["export_id", "run_id"]).to_pylist()
    pairs = StageDecision.objects.values_list("export__export_id", "run__run_id")
    return {
        "runs": [
            sorted(rows_of("scored_runs")["id"].to_pylist()),
            sorted(ScoredRun.objects.values_list("pk", flat=True)),
        ],
        "decisions": [sorted([row["export_id"], row["run_id"]] for row in decisions), sorted(map(list, pairs))],
        "snapshots": [len(summaries_of("scored_runs")), len(summaries_of("export_decisions"))],
        "orphans": len(set(data_files_on_disk("scored_runs")) - set(data_files_of("scored_runs"))),
    }


def take(kind: str, *wanted: Any) -> list[int]:
    """Take a step; return the exit statuses of its processes."""
    works: list[Callable[[], None]]
    if kind == "run":
        command, places = wanted
        works = [partial(run, command, *place) for place in places]
    else:
        works = [partial(add, *wanted) if kind == "add" else export]
    started = [in_a_process(work) for work in works]
    return [status_of(process) for process in started]


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    import catalog.own_tables  # noqa: F401  once, and not in every process

    statuses = [take(*step) for step in json.loads(sys.argv[1])]
    sys.stdout.write(json.dumps({"statuses": statuses, **found()}, default=str))


if __name__ == "__main__":
    main()
