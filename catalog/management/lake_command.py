"""What the commands that go over tables share: which tables, one after the other, and what failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.core.management.base import CommandError, CommandParser

from catalog.callers import SYSTEM
from catalog.expiry import find_tables
from catalog.ingest_requests import parse_table
from catalog.models import Relation
from catalog.removals import Removal
from catalog.warehouses import DEFAULT_NAME, find_warehouse
from lakehouse_site.errors import LakehouseError
from lakehouse_site.management.base import ServiceCommand

Result = TypeVar("Result")


class LakeCommand(ServiceCommand):
    """A command over the tables of a warehouse; one that fails keeps no other, and the status tells."""

    def add_warehouse(self, parser: CommandParser) -> None:
        parser.add_argument("--warehouse", default=DEFAULT_NAME, help=f"another warehouse than {DEFAULT_NAME}")

    def add_tables(self, parser: CommandParser) -> None:
        parser.add_argument("table", metavar="TABLE", nargs="*", help="namespace.table; without one: all tables")
        self.add_warehouse(parser)

    def tables(self, options: dict[str, Any]) -> list[Relation]:
        places = [parse_table(text) for text in options["table"]]
        return find_tables(
            names=[(tuple(place.levels), place.name) for place in places],
            warehouse=find_warehouse(name=options["warehouse"]),
            caller=SYSTEM,
        )

    def each(self, items: Iterable[Relation], work: Callable[[Relation], Result], failures: list[str]) -> list[Result]:
        """Do the work for each, and note what failed."""
        done = []
        for item in items:
            try:
                done.append(work(item))
            except LakehouseError as error:
                failures.append(f"{item}: {error.detail}")
        return done

    def end(self, failures: list[str]) -> None:
        """Tell what failed and end with status 1, if anything did."""
        if failures:
            raise CommandError("\n".join(failures))


def removed(removal: Removal, *, is_dry_run: bool) -> str:
    """Return what became of the files, in words."""
    verb = "would be deleted" if is_dry_run else "deleted"
    young = f"; {removal.young} are too young" if removal.young else ""
    return f"{removal.files} files ({removal.size_bytes} bytes) {verb}{young}"
