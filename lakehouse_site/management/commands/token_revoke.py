from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lakehouse_site.access.services import revoke_token
from lakehouse_site.errors import LakehouseError


class Command(BaseCommand):
    help = "Revoke an API token; it is refused from the next call on."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            row = revoke_token(name=options["name"])
        except LakehouseError as error:
            raise CommandError(error.detail) from None
        self.stdout.write(f"{row.name} was revoked at {row.revoked_at:%Y-%m-%d %H:%M:%S} UTC.")
