from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from lakehouse_site.management.base import ServiceCommand
from vectors.exports import SUFFIXES, export_index
from vectors.indexes import index_state
from vectors.management.progress import progress_bar


class Command(ServiceCommand):
    help = "Write all items of a vector index, as of one moment, to a file that index_import reads."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME", help="an index that exists")
        parser.add_argument("file", metavar="FILE", type=Path, help=f"its name ends with one of {', '.join(SUFFIXES)}")
        parser.add_argument("--force", action="store_true", help="replace FILE if it exists")

    def run(self, **options: Any) -> None:
        with progress_bar(index_state(name=options["name"]).live_count, "items") as progress:
            result = export_index(
                name=options["name"], file=Path(options["file"]), force=options["force"], progress=progress
            )
        text = f"{result.index}: {result.items} items as of {result.seq} in {result.file}, {result.bytes} bytes."
        self.answer(asdict(result), text, as_json=options["as_json"])
