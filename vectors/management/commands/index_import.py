from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from lakehouse_site.management.base import ServiceCommand
from vectors.imports import BATCH_ITEMS, import_items
from vectors.management.progress import progress_bar


class Command(ServiceCommand):
    help = (
        "Add the items of a file to a vector index: JSON lines, Parquet, LHV1, or .npy with --items. "
        "Safe to interrupt and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "name", metavar="NAME", help="an index that exists; for a .lhv1 file it is created if need be"
        )
        parser.add_argument(
            "file",
            metavar="FILE",
            type=Path,
            help=".jsonl (id, vector or vector_b64, metadata), .parquet (columns of these names), .lhv1, or .npy",
        )
        parser.add_argument(
            "--items", type=Path, help="JSON lines (id, metadata) that belong to the rows of a .npy file"
        )
        parser.add_argument("--batch", type=int, default=BATCH_ITEMS, help="items of one transaction")

    def run(self, **options: Any) -> None:
        if options["batch"] < 1:
            raise CommandError("--batch has to be at least 1.")
        with progress_bar(None, "items") as progress:
            result = import_items(
                name=options["name"],
                file=Path(options["file"]),
                items=Path(options["items"]) if options["items"] else None,
                batch_items=options["batch"],
                progress=progress,
            )
        counts = f"{result.read} read, {result.added} added, {result.updated} updated, {result.count} items now"
        text = f"{result.index}: {counts}."
        self.answer(asdict(result), text, as_json=options["as_json"])
