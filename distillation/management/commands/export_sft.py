from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from distillation.eval_set_files import read_eval_set
from distillation.export_request import ATTEMPTS, DEFAULT_SPLIT, KINDS, make_request
from distillation.exports import ExportResult, create_export, plan_export
from distillation.formats import Format
from distillation.row_files import FileType
from lakehouse_site.management.base import ServiceCommand

WAIT_SECONDS = 600.0


class Command(ServiceCommand):
    help = (
        "Export a training set (SFT, preference or KTO) from the ingested runs, with a record of why each run is or is "
        "not in it. Safe to interrupt and run again: the same input gives the same export."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--kind", choices=KINDS, default="sft")
        parser.add_argument(
            "--format",
            dest="format_name",
            choices=[name.value for name in Format],
            help="of SFT sets; default: messages. Preference and KTO sets have one format each",
        )
        parser.add_argument("--file-type", choices=[name.value for name in FileType], default="jsonl")
        parser.add_argument(
            "--eval-set",
            dest="eval_sets",
            metavar="FILE",
            type=Path,
            action="append",
            default=[],
            help="JSON lines (id, prompt, answer, perhaps canary) to keep the export clean of, beside the stored sets; "
            "may be given several times",
        )
        parser.add_argument("--include-partial", action="store_true", help="take partially accepted runs as well")
        parser.add_argument("--attempts", choices=ATTEMPTS, default="best", help="which runs of the same prompt")
        parser.add_argument(
            "--split", default=DEFAULT_SPLIT, help="percentages of train, validation and test; default: 90/5/5"
        )
        parser.add_argument("--out", metavar="DIR", type=Path, help="a folder that gets a copy of the files")
        parser.add_argument("--dry-run", action="store_true", help="show what would be exported, and write nothing")

    def run(self, **options: Any) -> None:
        request = make_request(
            kind=options["kind"],
            format_name=options["format_name"],
            file_type=options["file_type"],
            include_partial=options["include_partial"],
            attempts=options["attempts"],
            split=options["split"],
        )
        eval_sets = [read_eval_set(file) for file in options["eval_sets"]]
        if options["dry_run"]:
            result = plan_export(request=request, eval_sets=eval_sets, progress=self._tell)
        else:
            result = create_export(
                request=request,
                eval_sets=eval_sets,
                out=options["out"],
                wait_seconds=WAIT_SECONDS,
                progress=self._tell,
            )
        self.answer(asdict(result), as_text(result, options["out"]), as_json=options["as_json"])

    def _tell(self, step: str, runs: int) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"{step.replace('_', ' ')}: {runs} runs", self.style.HTTP_INFO)


def as_text(result: ExportResult, out: Path | None) -> str:
    """Return an export for people: where the runs went, the splits, and how it differs from the one before."""
    lines = [f"{'STAGE':<20} {'IN':>9} {'OUT':>9}  LEFT BEHIND"]
    for stage in result.stages:
        left = ", ".join(f"{count} {outcome}" for outcome, count in stage["outcomes"].items())
        lines.append(f"{stage['name']:<20} {stage['runs_in']:>9} {stage['runs_out']:>9}  {left}".rstrip())
    splits = ", ".join(f"{count} {split}" for split, count in result.splits.items())
    lines += ["", f"{result.rows} rows: {splits}."]
    if result.redactions:
        lines.append("Redacted: " + ", ".join(f"{count} {kind}" for kind, count in result.redactions.items()) + ".")
    if result.audit is not None:
        lines += ["", *_audit(result.audit)]
    if result.recall_notices:
        lines.append(f"{result.recall_notices} recall notices are open: this export holds runs disputed since.")
    if result.is_dry_run:
        lines += ["", f"Dry run: nothing was written. It would be export {result.export_id}."]
    else:
        state = "complete" if result.is_new else "the same input was exported before, and is complete"
        lines += ["", f"Export {result.export_id}: {state}."]
        lines += [f"Copied to {out}."] if out is not None else []
    return "\n".join(lines)


def _audit(audit: dict[str, Any]) -> list[str]:
    """Return the figures that moved, beside those of the export before."""
    lines = [f"Compared with {audit['baseline']}: {audit['verdict']}."]
    moved = [row for row in audit["rows"] if row["status"] != "ok"]
    if moved:
        lines.append(f"{'FIGURE':<28} {'BEFORE':>12} {'NOW':>12} {'CHANGE':>8}  STATUS")
    for row in moved:
        change = "" if row["relative"] is None else f"{row['relative']:+.0%}"
        before, now = _figure(row["baseline"]), _figure(row["current"])
        lines.append(f"{row['metric']:<28} {before:>12} {now:>12} {change:>8}  {row['status']}")
    return lines


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
