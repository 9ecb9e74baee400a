from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from lakehouse_site.errors import LakehouseError
from lakehouse_site.management.base import ServiceCommand
from vectors.indexes import index_state, list_indexes
from vectors.maintenance import snapshot_index
from vectors.management.progress import progress_bar


class Command(ServiceCommand):
    help = "Publish snapshots of vector indexes: a complete backup of each, in object storage."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("names", metavar="NAME", nargs="*")
        parser.add_argument("--all", action="store_true", dest="every", help="of all indexes")

    def run(self, **options: Any) -> None:
        if bool(options["names"]) == options["every"]:
            raise CommandError("Name the indexes, or use --all.")
        names = options["names"] or [index.name for index in list_indexes()]
        for name in names:
            index_state(name=name)  # a misspelt name is noticed before the first snapshot
        results, failures = [], []
        for name in names:
            try:
                with progress_bar(None, f"rows of {name} built") as progress:
                    info = snapshot_index(name=name, progress=progress)
                results.append({"index": name, **asdict(info)})
            except LakehouseError as error:
                failures.append(f"{name}: {error.detail}")
        lines = [f"{one['index']}: snapshot of {one['bytes']} bytes at seq {one['seq']}." for one in results]
        self.answer(results, "\n".join(lines), as_json=options["as_json"])
        if failures:
            raise CommandError("\n".join(failures))
