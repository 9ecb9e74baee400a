from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from catalog.durations import in_words, parse_duration
from catalog.management.lake_command import LakeCommand, removed
from catalog.orphans import DEFAULT_AGE, remove_orphans
from catalog.warehouses import find_warehouse


class Command(LakeCommand):
    help = (
        "List files of the warehouse that no table or view needs, dropped ones that can be undropped included; with "
        "--delete, delete them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        self.add_warehouse(parser)
        parser.add_argument(
            "--older-than", default=in_words(DEFAULT_AGE), metavar="AGE",
            help="younger files may belong to a commit that is under way; an hour is the least",
        )  # fmt: skip
        parser.add_argument("--delete", action="store_true", help="delete them; without it they are only listed")
        parser.add_argument("--dry-run", action="store_true", help="only list them, which is what happens anyway")

    def run(self, **options: Any) -> None:
        if options["delete"] and options["dry_run"]:
            raise CommandError("--delete and --dry-run say the opposite.")
        is_dry_run = not options["delete"]
        removal = remove_orphans(
            warehouse=find_warehouse(name=options["warehouse"]),
            older_than=parse_duration(options["older_than"], name="--older-than"),
            is_dry_run=is_dry_run,
        )
        text = "\n".join([*removal.locations, removed(removal, is_dry_run=is_dry_run)])
        self.answer(asdict(removal) | {"is_dry_run": is_dry_run}, text, as_json=options["as_json"])
        self.end(removal.errors)
