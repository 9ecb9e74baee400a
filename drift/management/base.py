from __future__ import annotations

from typing import Any

import orjson
from django.core.management.base import CommandError

from lakehouse_site.management.base import ServiceCommand

ALERT_STATUS = 3
"""Exit status when something drifted; 1 is a failure."""


class DriftCommand(ServiceCommand):
    """A command that says with its exit status whether something drifted."""

    def run(self, **options: Any) -> None:
        try:
            is_alert = self.look(**options)
        except (ValueError, TypeError) as error:  # the pure functions know no errors of this project
            raise CommandError(str(error)) from error
        if is_alert:
            raise SystemExit(ALERT_STATUS)

    def look(self, **options: Any) -> bool:
        """Do the work and say whether something drifted; `LakehouseError` may pass."""
        raise NotImplementedError

    def answer(self, result: Any, text: str, *, as_json: bool) -> None:
        """Print a result, which may hold times and ids."""
        self.stdout.write(orjson.dumps(result, default=str).decode() if as_json else text)
