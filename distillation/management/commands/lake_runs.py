from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from distillation.lake_runs import write_runs
from lakehouse_site.management.base import ServiceCommand


class Command(ServiceCommand):
    help = (
        "Write the scored runs that the table lakehouse.scored_runs does not have, and those that can still change to "
        "lakehouse.contested_runs, for other engines."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would be written")

    def run(self, **options: Any) -> None:
        written = write_runs(is_dry_run=options["dry_run"])
        result = {"tables": [asdict(one) for one in written]}
        self.answer(result, "\n".join(map(str, written)), as_json=options["as_json"])
