from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from distillation.freezes import acknowledge_freeze
from drift.alerts import acknowledge_alert
from drift.management.base import DriftCommand


class Command(DriftCommand):
    help = (
        "Say that a person has looked: at an alert (by its id), or with --freeze at a frozen scorer version, whose "
        "runs exports then take again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("id", metavar="ID", help="id of an alert; with --freeze the number of a freeze")
        parser.add_argument("--freeze", action="store_true", help="ID is a freeze of a scorer version")
        parser.add_argument("--by", required=True, help="who has looked")
        parser.add_argument("--note", default="", help="what was found")

    def look(self, **options: Any) -> bool:
        by, note = options["by"], options["note"]
        if not options["freeze"]:
            alert = acknowledge_alert(alert_id=options["id"], by=by, note=note)
            result: dict[str, Any] = {"alert": alert.pk, "state": alert.state, "by": alert.acknowledged_by}
            text = f"The alert is {alert.state}, acknowledged by {alert.acknowledged_by}."
        else:
            if not options["id"].isdecimal():
                raise CommandError("A freeze has a number; GET /v1/distillation/freezes and the admin show it.")
            freeze = acknowledge_freeze(freeze_id=int(options["id"]), by=by, note=note)
            result = {"freeze": freeze.pk, "scorer": str(freeze), "by": freeze.acknowledged_by}
            text = f"Exports take runs of {freeze} again; acknowledged by {freeze.acknowledged_by}."
        self.answer(result, text, as_json=options["as_json"])
        return False
