from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from catalog.callers import SYSTEM
from catalog.ingest import IngestResult, ingest_file
from catalog.ingest_requests import MODES, parse_request
from catalog.ingest_source import FORMATS
from lakehouse_site.management.base import ServiceCommand


class Command(ServiceCommand):
    help = "Take a file of rows (CSV, JSON lines, Parquet) into a table. The same file is not taken twice."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", type=Path, help=".csv, .jsonl or .parquet, also with .gz or .zst")
        parser.add_argument("table", metavar="TABLE", help="namespace.table")
        parser.add_argument("--mode", choices=MODES, default="create", help="create (the default), append or overwrite")
        parser.add_argument("--format", choices=FORMATS, help="what the file is, where its name does not tell")
        parser.add_argument("--delimiter", help="of CSV, where it is not found")
        parser.add_argument("--no-header", action="store_true", help="the first line of the CSV is a row")
        parser.add_argument("--null", help="the text that stands for no value in CSV")
        parser.add_argument(
            "--type", action="append", default=[], metavar="COLUMN=TYPE", help="read a column as this; may be repeated"
        )
        parser.add_argument("--evolve", action="store_true", help="add columns to the table, or widen them, if need be")
        parser.add_argument("--dry-run", action="store_true", help="only say what the columns would be")

    def run(self, **options: Any) -> None:
        types = [text.rpartition("=") for text in options["type"]]
        if not all(column and kind for column, _, kind in types):
            raise CommandError("--type takes COLUMN=TYPE, as in zip=string.")
        file = Path(options["file"])
        if not file.is_file():
            raise CommandError(f"{file} is no file.")
        body = {
            "table": options["table"],
            "mode": options["mode"],
            "format": options["format"],
            "delimiter": options["delimiter"],
            "header": False if options["no_header"] else None,
            "null": options["null"],
            "types": {column: kind for column, _, kind in types},
            "evolve": options["evolve"],
            "dry_run": options["dry_run"],
        }
        request = parse_request(body, file_name=file.name)
        result = ingest_file(path=file, source_name=str(file), request=request, caller=SYSTEM)
        self.answer(asdict(result), _text(result), as_json=options["as_json"])


def _text(result: IngestResult) -> str:
    columns = "\n".join(f"  {field['name']}: {field['type']}" for field in result.schema)
    if result.rows is None:
        return f"{result.table} would have the columns\n{columns}"
    if result.deduplicated:
        return f"{result.table}: these rows are there already (snapshot {result.snapshot_id}); nothing was changed."
    return f"{result.table}: {result.rows} rows in snapshot {result.snapshot_id}, with the columns\n{columns}"
