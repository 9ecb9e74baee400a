from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from catalog.index_tables import write_index
from lakehouse_site.management.base import ServiceCommand


class Command(ServiceCommand):
    help = (
        "Put the items of indexes into the tables lakehouse.index_NAME, for other engines. Where a table has them, "
        "nothing is written."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("names", metavar="NAME", nargs="+", help="an index")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be written")

    def run(self, **options: Any) -> None:
        written = [write_index(name=name, is_dry_run=options["dry_run"]) for name in options["names"]]
        result = {"tables": [asdict(one) for one in written]}
        self.answer(result, "\n".join(map(str, written)), as_json=options["as_json"])
