from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from catalog.durations import parse_duration
from catalog.management.lake_command import LakeCommand, removed
from catalog.purge import due_for_purge, find_dropped, purge_relation
from catalog.warehouses import find_warehouse


class Command(LakeCommand):
    help = (
        "Delete tables for good that were dropped with their files and that nobody has undropped for "
        "LAKEHOUSE_CATALOG_UNDROP_DAYS days; with --id, a dropped table or view whatever was asked for when it was "
        "dropped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        self.add_warehouse(parser)
        parser.add_argument("--older-than", metavar="AGE", help="since the drop, as in 7d; else as the setting says")
        parser.add_argument(
            "--id", type=int, action="append", default=[], help="of a dropped table or view; again for more"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def run(self, **options: Any) -> None:
        warehouse = find_warehouse(name=options["warehouse"])
        older_than = parse_duration(options["older_than"], name="--older-than") if options["older_than"] else None
        is_dry_run = options["dry_run"]
        if options["id"]:
            found = [find_dropped(warehouse=warehouse, relation_id=one) for one in options["id"]]
        else:
            found = due_for_purge(warehouse=warehouse, older_than=older_than)
        failures: list[str] = []
        results = self.each(
            found, lambda relation: purge_relation(relation_id=relation.pk, is_dry_run=is_dry_run), failures
        )
        verb = "would go" if is_dry_run else "gone for good"
        lines = [f"{one.table}: {verb}; {removed(one.removal, is_dry_run=is_dry_run)}" for one in results]
        body = {"tables": [asdict(one) for one in results], "failures": failures}
        self.answer(body, "\n".join(lines) or "No dropped table is due.", as_json=options["as_json"])
        self.end([*failures, *(f"{one.table}: {text}" for one in results for text in one.removal.errors)])
