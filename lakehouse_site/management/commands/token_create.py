from __future__ import annotations

import argparse
import json
import re
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from lakehouse_site.access.services import create_token
from lakehouse_site.access.tokens import READ, SCOPES
from lakehouse_site.errors import LakehouseError

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: str) -> timedelta:
    """Read ``30d``, ``12h``, ``45m`` or ``8w``."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", text)
    if match is None:
        raise argparse.ArgumentTypeError("write for example 30d, 12h, 45m or 8w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


class Command(BaseCommand):
    help = "Make an API token and print it, once. From then on every call needs a token."
    requires_system_checks: list[str] = []  # noqa: RUF012  a check may ask for the very token this makes

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="For whom or what the token is.")
        parser.add_argument("--scope", choices=SCOPES, default=READ, help="What it may do (%(default)s).")
        parser.add_argument("--index", default="", metavar="PATTERN", help="Only indexes like this, e.g. 'docs-*'.")
        parser.add_argument("--expires", type=duration, metavar="TIME", help="When it ends, from now, e.g. 30d.")
        parser.add_argument("--json", action="store_true", help="Print a JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        expires_at = timezone.now() + options["expires"] if options["expires"] else None
        try:
            created = create_token(
                name=options["name"], scope=options["scope"], index_pattern=options["index"], expires_at=expires_at
            )
        except LakehouseError as error:
            raise CommandError(error.detail) from None
        if options["json"]:
            row = created.row
            shown = {
                "name": row.name,
                "token": created.token,
                "scope": row.scope,
                "index_pattern": row.index_pattern,
                "expires_at": row.expires_at.isoformat() if row.expires_at else None,
            }
            self.stdout.write(json.dumps(shown))
        else:
            self.stderr.write("Shown only now; keep it safe:")
            self.stdout.write(created.token)
