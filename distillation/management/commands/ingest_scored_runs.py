from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from distillation.ingestion import IngestResult, ingest_scored_runs
from distillation.management.progress import progress_bar
from distillation.reports import write_report
from distillation.validation import DEFAULT_MAX_LINE_BYTES
from lakehouse_site.management.base import ServiceCommand


class Command(ServiceCommand):
    help = (
        "Read scored runs from ROOT/scored-runs/YYYY/MM/DD/*.jsonl (also .gz, .zst). Lines that cannot be taken go to "
        "quarantine. Safe to interrupt and run again: what was read is not read twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("root", metavar="ROOT", help="a folder; or storage:PREFIX, a prefix of the object storage")
        parser.add_argument(
            "--max-line-bytes",
            type=int,
            default=DEFAULT_MAX_LINE_BYTES,
            help=f"a longer line is quarantined; default: {DEFAULT_MAX_LINE_BYTES}",
        )
        parser.add_argument(
            "--report",
            metavar="FILE",
            type=Path,
            help="write what has become of every line, as JSON lines: file, line, ingest, code, run_id",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")

    def run(self, **options: Any) -> None:
        if options["dry_run"] and options["report"]:
            raise CommandError("--report tells what has been stored, and --dry-run stores nothing. Leave one of them.")
        with progress_bar("lines") as progress:
            result = ingest_scored_runs(
                root=options["root"],
                max_line_bytes=options["max_line_bytes"],
                is_dry_run=options["dry_run"],
                progress=progress,
            )
        if options["report"]:
            write_report(
                path=options["report"],
                root=options["root"],
                results=result.files,
                max_line_bytes=options["max_line_bytes"],
            )
        answer = {
            "files": [asdict(file) for file in result.files],
            "totals": result.totals,
            "quarantine_codes": result.quarantine_codes,
            "dry_run": result.is_dry_run,
        }
        self.answer(answer, _text(result), as_json=options["as_json"])
        if result.errors:
            raise CommandError("\n".join(f"{file.path}: {file.error}" for file in result.errors))


def _text(result: IngestResult) -> str:
    skipped = sum(file.is_skipped for file in result.files)
    totals = result.totals
    counts = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in totals.items() if name != "lines")
    lines = [f"{len(result.files)} files ({skipped} read before), {totals['lines']} lines: {counts}."]
    if result.quarantine_codes:
        found = ", ".join(f"{number} {code}" for code, number in result.quarantine_codes.items())
        lines.append(
            f"To quarantine{' now' if skipped else ''}: {found}. Look at them with `manage.py quarantine list`."
        )
    if result.is_dry_run:
        lines.append("Nothing was changed.")
    return "\n".join(lines)
