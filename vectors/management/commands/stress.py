from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from lakehouse_client import LakehouseClientError
from vectors.stress.engine import StressReport, run_stress
from vectors.stress.own_server import OwnServer
from vectors.stress.plan import StressPlan, fresh_prefix

TOKEN_VARIABLE = "LAKEHOUSE_AUTH_TOKEN"  # noqa: S105 (its name)


class Command(BaseCommand):
    help = (
        "Let several clients write, search, merge and delete at once, then compare every item with what was written. "
        "Exit status 1 on any difference or error. Without --url on a server of its own, on temporary data."
    )
    # It works on a server, which has checked itself; the settings of this process do not matter.
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", help="of a running server, on which it makes indexes of its own and removes them")
        parser.add_argument("--token", help=f"that the server asks for; {TOKEN_VARIABLE} unless given")
        parser.add_argument("--coordinators", type=_count, default=4, help="clients at a time (%(default)s)")
        parser.add_argument("--items", type=_count, default=2_000, help="that each writes at first (%(default)s)")
        parser.add_argument("--dimension", type=_count, default=64, help="of the vectors (%(default)s)")
        parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn (%(default)s)")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there")

    def handle(self, *args: Any, **options: Any) -> None:
        plan = StressPlan(
            coordinators=options["coordinators"],
            items=options["items"],
            dimension=options["dimension"],
            seed=options["seed"],
            prefix=fresh_prefix(),
        )
        try:
            with _server(options["url"]) as (url, token):
                report = run_stress(plan, url=url, token=options["token"] or token, say=self._say)
        except (LakehouseClientError, RuntimeError) as error:
            raise CommandError(f"Not begun: {error}") from error
        if options["json"] is not None:
            options["json"].write_text(json.dumps(report.facts(), indent=2, ensure_ascii=False) + "\n")
        self._tell(report)
        if not report.is_clean:
            raise CommandError(f"{report.difference_count} differences, {report.error_count} errors.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _tell(self, report: StressReport) -> None:
        for kind, figures in report.latencies.items():
            shown = "  ".join(f"{name.removesuffix('_ms')} {value:,.1f} ms" for name, value in _times(figures))
            self.stdout.write(f"{kind:<8}{int(figures['count']):>7,} calls  {shown}")
        for line in [*report.errors, *report.differences]:
            self.stderr.write(line)
        self.stdout.write(
            f"{report.checked:,} items compared, {report.difference_count} differences, {report.error_count} errors, "
            f"{report.total_elapsed_ms / 1e3:.1f} s, seed {report.plan.seed}"
        )


def _times(figures: dict[str, float]) -> Iterator[tuple[str, float]]:
    return ((name, value) for name, value in figures.items() if name.endswith("_ms"))


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError("write a number from 1 to 1,000,000")
    return int(text)


@contextmanager
def _server(url: str | None) -> Iterator[tuple[str, str | None]]:
    """Yield the address to work on, and the token that is known for it."""
    if url is not None:
        yield url, os.environ.get(TOKEN_VARIABLE)
        return
    with tempfile.TemporaryDirectory(prefix="lakehouse-stress-", ignore_cleanup_errors=True) as folder:
        server = OwnServer(Path(folder))
        try:
            server.migrate()
            server.start()
            yield server.url, None
        finally:
            server.stop()
