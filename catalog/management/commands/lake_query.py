from __future__ import annotations

from typing import Any

import orjson
from django.core.management.base import CommandError, CommandParser

from catalog.callers import SYSTEM
from catalog.query import DEFAULT_LIMIT, MAX_LIMIT, run_query
from catalog.query_answers import Pieces
from lakehouse_site.management.base import ServiceCommand

_MAX_WIDTH = 60


class Command(ServiceCommand):
    help = "Run one SELECT over the tables, as namespace.table. Nothing can be written with it."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("sql", metavar="SQL")
        parser.add_argument("--csv", action="store_true", help="print the rows as CSV")
        parser.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help=f"rows at the most, up to {MAX_LIMIT}")

    def run(self, **options: Any) -> None:
        if not 1 <= options["limit"] <= MAX_LIMIT:
            raise CommandError(f"--limit takes 1 to {MAX_LIMIT}.")
        answer_format = "csv" if options["csv"] and not options["as_json"] else "json"
        answer = run_query(sql=options["sql"], limit=options["limit"], answer_format=answer_format, caller=SYSTEM)
        text = b"".join(Pieces(answer, answer_format)).decode()
        if answer_format == "csv" or options["as_json"]:
            self.stdout.write(text, ending="" if answer_format == "csv" else "\n")
        else:
            self.stdout.write(_as_table(orjson.loads(text)))
        if answer.is_cut:
            self.stderr.write(f"There are more rows than {options['limit']}; --limit shows more.")


def _as_table(answer: dict[str, Any]) -> str:
    lines = [[column["name"] for column in answer["columns"]]]
    lines += [["NULL" if value is None else _cell(value) for value in row] for row in answer["rows"]]
    widths = [min(_MAX_WIDTH, max(len(line[i]) for line in lines)) for i in range(len(lines[0]))]
    shown = [
        "  ".join(cell[:_MAX_WIDTH].ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    ]
    return "\n".join(
        [shown[0].rstrip(), "  ".join("-" * width for width in widths), *(line.rstrip() for line in shown[1:])]
    )


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
