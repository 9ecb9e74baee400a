from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from catalog.callers import SYSTEM
from catalog.durations import in_words, parse_duration
from catalog.expiry import Expired, expire_tables
from catalog.management.lake_command import LakeCommand, removed
from catalog.purge import prune_records
from catalog.removals import GRACE


class Command(LakeCommand):
    help = (
        "Remove snapshots that branches, tags and the rules of their tables do not keep, then the files that only they "
        "needed; and records of the catalog that have served: answers to keyed requests after a day, query runs after "
        "30 days."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        self.add_tables(parser)
        parser.add_argument(
            "--older-than", metavar="AGE", help="snapshots of this age may go, as in 7d; else the table's rule, or 5d"
        )
        parser.add_argument("--keep", type=int, metavar="N", help="of each branch; else the table's rule, or 1")
        parser.add_argument(
            "--grace", default=in_words(GRACE), metavar="AGE", help="files changed within this time stay"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def run(self, **options: Any) -> None:
        older_than = parse_duration(options["older_than"], name="--older-than") if options["older_than"] else None
        results, failures = expire_tables(
            relations=self.tables(options),
            older_than=older_than,
            keep=options["keep"],
            grace=parse_duration(options["grace"], name="--grace"),
            is_dry_run=options["dry_run"],
            caller=SYSTEM,
        )
        pruned = prune_records(is_dry_run=options["dry_run"])
        lines = [_text(one, options["dry_run"]) for one in results if one.snapshots or one.refs or one.removal.files]
        verb = "would go" if options["dry_run"] else "gone"
        lines.append(
            f"{len(results)} tables looked at; {pruned.idempotency_keys} idempotency keys, {pruned.query_runs} query "
            f"runs and {pruned.namespaces} empty dropped namespaces {verb}."
        )
        body = {"tables": [asdict(one) for one in results], "pruned": asdict(pruned), "failures": failures}
        self.answer(body, "\n".join(lines), as_json=options["as_json"])
        self.end([*failures, *(f"{one.table}: {text}" for one in results for text in one.removal.errors)])


def _text(result: Expired, is_dry_run: bool) -> str:
    refs = f", branches and tags {', '.join(result.refs)}" if result.refs else ""
    verb = "would go" if is_dry_run else "gone"
    files = removed(result.removal, is_dry_run=is_dry_run)
    return f"{result.table}: {len(result.snapshots)} snapshots{refs} {verb}; {files}"
