from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from catalog.callers import SYSTEM
from catalog.management.lake_command import LakeCommand
from catalog.models import Relation

DEFAULT_TARGET_MIB = 128
DEFAULT_MIN_FILES = 5


class Command(LakeCommand):
    help = "Rewrite the many small data files of a table into few, as one snapshot with the same rows."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        self.add_tables(parser)
        parser.add_argument(
            "--target-size", type=int, default=DEFAULT_TARGET_MIB, metavar="MIB", help="of the new files, in MiB"
        )
        parser.add_argument(
            "--min-files", type=int, default=DEFAULT_MIN_FILES, metavar="N",
            help="small files a partition must have to be rewritten",
        )  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="only say what would be rewritten")

    def run(self, **options: Any) -> None:
        if options["target_size"] < 1 or options["min_files"] < 2:
            raise CommandError("--target-size takes 1 and more, --min-files 2 and more.")
        # pyiceberg takes a second to import, and most commands never need it.
        from catalog.compaction import Compacted, compact_table

        def compact(relation: Relation) -> Compacted:
            return compact_table(
                relation=relation,
                target_bytes=options["target_size"] * 2**20,
                min_files=options["min_files"],
                is_dry_run=options["dry_run"],
                caller=SYSTEM,
            )

        def text(result: Compacted) -> str:
            if result.skipped:
                return f"{result.table}: left alone. {result.skipped}"
            verb = "would become" if options["dry_run"] else "became"
            return f"{result.table}: {result.files_before} files {verb} {result.files_after}, {result.rows} rows"

        failures: list[str] = []
        results = self.each(self.tables(options), compact, failures)
        body = {"tables": [asdict(one) for one in results], "failures": failures}
        self.answer(body, "\n".join(map(text, results)) or "There are no tables.", as_json=options["as_json"])
        self.end(failures)
