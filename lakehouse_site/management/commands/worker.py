"""`manage.py worker`: carries out what the admin queues. `serve` starts one by itself (LAKEHOUSE_WORKER)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from lakehouse_site.health import unapplied_migrations
from lakehouse_site.tasks.worker import Worker


class Command(BaseCommand):
    help = "Carry out the tasks that the admin queues, until Ctrl-C or SIGTERM."
    requires_system_checks: list[str] = []  # noqa: RUF012  it listens nowhere, and `serve` has just looked

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--parent", type=int, metavar="PID", help="end when this process does (serve says so)")

    def handle(self, *args: Any, parent: int | None, **options: Any) -> None:
        try:
            missing = unapplied_migrations()
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used: {error}. Look at DATABASE_URL.") from None
        if missing:
            raise CommandError(f"{len(missing)} migrations are not applied. Run `manage.py migrate` first.")
        Worker(parent).run()
