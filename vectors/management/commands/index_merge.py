from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from lakehouse_site.management.base import ServiceCommand
from vectors.indexes import index_state
from vectors.management.progress import progress_bar
from vectors.merge import merge_indexes
from vectors.validation import ON_CONFLICT, Merge


class Command(ServiceCommand):
    help = "Merge one vector index into another. Safe to interrupt and run again."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("source", metavar="SRC")
        parser.add_argument("dest", metavar="DEST")
        parser.add_argument("--clear-source", action="store_true", help="remove from SRC what was added to DEST")
        parser.add_argument("--on-conflict", choices=ON_CONFLICT, default="skip", help="when both have an id")
        parser.add_argument("--dry-run", action="store_true", help="count, change nothing")

    def run(self, **options: Any) -> None:
        merge = Merge(options["dest"], options["clear_source"], options["on_conflict"], options["dry_run"])
        with progress_bar(index_state(name=options["source"]).live_count, "items") as progress:
            result = merge_indexes(source=options["source"], merge=merge, progress=progress)
        verb = "Would merge" if merge.dry_run else "Merged"
        text = (
            f"{verb} {result.source} into {result.dest}: {result.scanned} scanned, {result.added} added, "
            f"{result.overwritten} overwritten, {result.skipped} skipped, {result.deleted} removed from the source. "
            f"Now {result.source} has {result.source_count} items, {result.dest} has {result.dest_count}."
        )
        self.answer(asdict(result), text, as_json=options["as_json"])
