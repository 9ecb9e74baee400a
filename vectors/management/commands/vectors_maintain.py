from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from lakehouse_site.management.base import ServiceCommand
from vectors.leases import LeaseHolder, held_by
from vectors.maintenance import run_round
from vectors.upkeep import LEASE


class Command(ServiceCommand):
    help = (
        "One round of maintenance: snapshots that are due, old tombstones, files nobody needs. Servers do this by "
        "themselves; this is for a timer where LAKEHOUSE_MAINTENANCE_SECONDS is 0."
    )

    def run(self, **options: Any) -> None:
        holder = LeaseHolder(LEASE)
        with holder.held() as is_mine:
            if not is_mine:
                text = f"Nothing done: {held_by(LEASE) or 'another process'} is at it."
                self.answer({"skipped": True}, text, as_json=options["as_json"])
                return
            done = run_round(finish_graphs=True, go_on=holder.take)
        text = (
            f"{done.indexes} indexes: {done.snapshots} snapshots published, {done.purged_tombstones} tombstones "
            f"purged, {done.deleted_files} files deleted."
        )
        self.answer({"skipped": False, **asdict(done)}, text, as_json=options["as_json"])
        if done.errors:
            raise CommandError("\n".join(done.errors))
