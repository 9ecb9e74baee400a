from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from distillation.listing import list_scored_run_files
from lakehouse_site.management.base import ServiceCommand


class Command(ServiceCommand):
    help = "List the files that `ingest_scored_runs ROOT` would read."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("root", metavar="ROOT", help="a folder; or storage:PREFIX, a prefix of the object storage")

    def run(self, **options: Any) -> None:
        files = list_scored_run_files(options["root"])
        found = [{"file": file.path, "bytes": file.size_bytes} for file in files]
        text = "\n".join(f"{row['file']}  {row['bytes']} bytes" for row in found) or "No files of scored runs."
        self.answer(found, text, as_json=options["as_json"])
