from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from lakehouse_site.access.models import ApiToken

_COLUMNS = ("name", "prefix", "scope", "index_pattern", "created_at", "expires_at", "revoked_at", "last_used_at")


class Command(BaseCommand):
    help = "List the API tokens; only their first characters are known."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print a JSON list.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [dict(zip(_COLUMNS, row, strict=True)) for row in ApiToken.objects.values_list(*_COLUMNS)]
        if options["json"]:
            self.stdout.write(json.dumps(rows, default=lambda value: value.isoformat()))
            return
        lines = [_COLUMNS, *(tuple(_shown(row[column]) for column in _COLUMNS) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            self.stdout.write("  ".join(map(str.ljust, line, widths)).rstrip())


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "year") else str(value)
