from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from lakehouse_site.management.base import ServiceCommand
from vectors.indexes import index_state
from vectors.maintenance import rebuild_index
from vectors.management.progress import progress_bar


class Command(ServiceCommand):
    help = "Build the graph of a vector index anew from its rows; servers change over to it. Searches go on meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")

    def run(self, **options: Any) -> None:
        name = options["name"]
        with progress_bar(index_state(name=name).live_count, "items") as progress:
            info = rebuild_index(name=name, progress=progress)
        text = f"{name}: rebuilt; snapshot of {info.bytes} bytes at seq {info.seq}."
        self.answer({"index": name, "snapshot": asdict(info)}, text, as_json=options["as_json"])
