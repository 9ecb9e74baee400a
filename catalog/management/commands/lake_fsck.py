from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from catalog.fsck import check_warehouse, lines_of
from catalog.management.lake_command import LakeCommand
from catalog.warehouses import find_warehouse


class Command(LakeCommand):
    help = "Look whether files and rows of the catalog agree: each fault with what to do about it. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        self.add_warehouse(parser)
        parser.add_argument("--dry-run", action="store_true", help="as without it: nothing is ever changed")

    def run(self, **options: Any) -> None:
        report = check_warehouse(warehouse=find_warehouse(name=options["warehouse"]))
        self.answer(asdict(report), "\n".join(lines_of(report)), as_json=options["as_json"])
        if report.faults:
            raise CommandError(f"{len(report.faults)} faults.")
