from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from distillation.figures import RunSelection, run_numbers
from distillation.freezes import freeze_scorer
from drift.categorical import compute_scorer_drift
from drift.column_files import read_numbers, read_verdicts
from drift.freezing import freeze_facts
from drift.management.base import DriftCommand
from drift.management.tables import distribution_table, scorer_table
from drift.psi import compute_distribution_drift

RUN_COLUMNS = ("score", "prompt_characters", "response_characters")


class Command(DriftCommand):
    help = (
        "Compare a column of two files, or a number of scored runs in two times, and print the table. With --verdicts "
        "the files are two verdicts on the same runs. Exit status: 0 no drift, 3 drift, 1 failure."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("reference", help="a file (.jsonl, .csv, .npy, .parquet), or START/END with --runs")
        parser.add_argument("current", help="the same of what is compared with it")
        parser.add_argument("--column", default="score", help="column, or number of runs; category with --verdicts")
        parser.add_argument(
            "--runs", action="store_true", help="compare scored runs of two times, 2026-01-01/2026-02-01"
        )
        parser.add_argument("--verdicts", action="store_true", help="compare run_id and category of two files")
        parser.add_argument("--buckets", type=int, default=10)
        parser.add_argument("--binning", choices=("equal_width", "quantile"), default="equal_width")
        parser.add_argument("--alpha", type=float, default=0.01)
        parser.add_argument(
            "--freeze", metavar="NAME/VERSION", help="with --verdicts: freeze this scorer if it calls for it"
        )

    def look(self, **options: Any) -> bool:
        if options["freeze"] and not options["verdicts"]:
            raise CommandError("--freeze needs --verdicts.")
        return self._verdicts(**options) if options["verdicts"] else self._numbers(**options)

    def _numbers(self, **options: Any) -> bool:
        sides = [self._side(options[side], options) for side in ("reference", "current")]
        found = compute_distribution_drift(
            *sides, buckets=options["buckets"], binning=options["binning"], alpha=options["alpha"]
        )
        self.answer(found.to_dict(), distribution_table(found), as_json=options["as_json"])
        return found.alert

    def _side(self, text: str, options: dict[str, Any]) -> Any:
        if not options["runs"]:
            return read_numbers(Path(text), options["column"])
        if options["column"] not in RUN_COLUMNS:
            raise CommandError(f"--column of runs is one of {', '.join(RUN_COLUMNS)}.")
        start, _, end = text.partition("/")
        return run_numbers(field=options["column"], selection=RunSelection(_moment(start), _moment(end)))

    def _verdicts(self, **options: Any) -> bool:
        column = "category" if options["column"] == "score" else options["column"]
        before, after = (read_verdicts(Path(options[side]), "run_id", column) for side in ("reference", "current"))
        found = compute_scorer_drift(before, after)
        result, text = found.to_dict(), scorer_table(found)
        if options["freeze"]:
            name, slash, version = options["freeze"].partition("/")
            if not slash:
                raise CommandError("--freeze needs NAME/VERSION.")
            facts = freeze_facts(found, name, version)
            freeze = freeze_scorer(**facts) if facts else None
            result["freeze"] = freeze.pk if freeze else None
            text += f"\nFrozen: {freeze}, number {freeze.pk}." if freeze else "\nNothing frozen."
        self.answer(result, text, as_json=options["as_json"])
        return found.verdict in ("minor", "major")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no time: write START/END, for example 2026-01-01/2026-02-01.") from None
    return moment if moment.tzinfo else moment.astimezone()
