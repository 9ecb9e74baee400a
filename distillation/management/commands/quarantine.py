from __future__ import annotations

import getpass
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from distillation.models import QuarantinedLine
from distillation.quarantine import discard_line, release_line
from distillation.quarantine_reads import list_quarantine
from distillation.validation import DEFAULT_MAX_LINE_BYTES
from lakehouse_site.management.base import ServiceCommand

SHOWN = ("id", "code", "run_id", "line", "size_bytes", "message", "status", "note", "decided_by")


class Command(ServiceCommand):
    help = "Look at the lines that were not taken as runs, and decide on them."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|release|discard")
        listing = actions.add_parser("list", help="show quarantined lines")
        super().add_arguments(listing)
        statuses = [*QuarantinedLine.Status.values, "all"]
        listing.add_argument("--status", choices=statuses, default=QuarantinedLine.Status.OPEN.value)
        listing.add_argument("--code", help="only lines with this fault")
        listing.add_argument("--run-id", help="only lines with this run id")
        release = actions.add_parser(
            "release", help="take a line after all; of a contradiction, its content becomes the run's"
        )
        discard = actions.add_parser("discard", help="leave a line out for good; of a contradiction, the run stands")
        for action in (release, discard):
            super().add_arguments(action)
            action.add_argument("ids", metavar="ID", type=int, nargs="+", help="from quarantine list")
            action.add_argument("--note", default="", help="why; kept with the line")
            action.add_argument("--by", default=None, help="who decides; default: the user of this shell")
        release.add_argument(
            "--max-line-bytes",
            type=int,
            default=DEFAULT_MAX_LINE_BYTES,
            help=f"the limit for lines that were too long; default: {DEFAULT_MAX_LINE_BYTES}",
        )

    def run(self, **options: Any) -> None:
        if options["action"] == "list":
            self._list(options)
            return
        decided_by = options["by"] if options["by"] is not None else getpass.getuser()
        common = {"decided_by": decided_by, "note": options["note"]}
        for line_id in options["ids"]:
            if options["action"] == "release":
                done = release_line(line_id=line_id, max_line_bytes=options["max_line_bytes"], **common)
            else:
                done = discard_line(line_id=line_id, **common)
            disputed = " The run is still disputed." if done.is_disputed else ""
            text = f"Line {done.id}: {done.outcome.replace('_', ' ')}{f', run {done.run_id}' if done.run_id else ''}."
            self.answer(asdict(done), text + disputed, as_json=options["as_json"])

    def _list(self, options: dict[str, Any]) -> None:
        status = None if options["status"] == "all" else options["status"]
        found = list_quarantine(status=status, code=options["code"], run_id=options["run_id"])
        for row in found.iterator(chunk_size=500):
            facts = {name: getattr(row, name) for name in SHOWN} | {"file": row.file.path}
            text = f"{row.pk}  {row.code}  {row.file.path}:{row.line}  {row.run_id or '-'}  {row.message}"
            self.answer(facts, text, as_json=options["as_json"])
