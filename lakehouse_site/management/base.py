from __future__ import annotations

from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from lakehouse_site.errors import InvalidInput, LakehouseError
from lakehouse_site.outages import is_expected, outage_of, reason_of


class ServiceCommand(BaseCommand):
    """A command over one service: results to stdout (`--json` for scripts), errors as one clear line and status 1."""

    # What the environment says is checked. Django's own checks look at the code, import every route for it, which takes
    # as long as the rest of the start, and are for `manage.py check`.
    requires_system_checks: list[str] = ["access"]  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.run(**options)
        except InvalidInput as error:
            lines = [f"{fault.pointer}: {fault.detail}" if fault.pointer else fault.detail for fault in error.faults]
            shown = lines[:20] + ([f"… and {len(lines) - 20} more"] if len(lines) > 20 else [])
            raise CommandError("\n".join(shown) or error.detail) from error
        except LakehouseError as error:
            raise CommandError(error.detail) from error
        except Error as error:
            outage = outage_of(error)
            if outage is None or not is_expected(error):
                raise
            raise CommandError(f"{outage.detail} ({reason_of(error)})") from error

    def run(self, **options: Any) -> None:
        """Do the work; `LakehouseError` may pass."""
        raise NotImplementedError

    def answer(self, result: Any, text: str, *, as_json: bool) -> None:
        """Print a result."""
        self.stdout.write(orjson.dumps(result).decode() if as_json else text)
