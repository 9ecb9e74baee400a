from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from lakehouse_site.errors import IndexExists, LakehouseError
from lakehouse_site.management.base import ServiceCommand
from vectors import restore
from vectors.management.progress import progress_bar
from vectors.restore import Backup


class Command(ServiceCommand):
    help = (
        "Restore vector indexes from the snapshots in object storage, also into an empty database. An index that "
        "exists is left alone. Safe to interrupt and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("names", metavar="NAME", nargs="*", help="only these indexes; all without one")
        parser.add_argument("--list", action="store_true", dest="only_list", help="show what there is, restore nothing")
        parser.add_argument("--object", metavar="OBJECT", dest="object_name", help="this file, as --list names it")
        parser.add_argument(
            "--newest", action="store_true", help="where several indexes had one name, restore the latest file"
        )
        parser.add_argument("--as", metavar="NEW", dest="as_name", help="restore the one index under another name")

    def run(self, **options: Any) -> None:
        problems: list[str] = []
        if options["object_name"] and (options["names"] or options["only_list"]):
            raise CommandError("--object is all that is restored: leave out names and --list.")
        if options["object_name"]:
            backups = [restore.describe_backup(object_name=options["object_name"])]
        else:
            listing = restore.list_backups()
            problems = listing.problems
            backups = (
                listing.backups
                if options["only_list"]
                else restore.choose(listing=listing, names=frozenset(options["names"]), newest=options["newest"])
            )
        if options["only_list"]:
            self._show(backups, problems, as_json=options["as_json"])
            return
        if options["as_name"] and len(backups) != 1:
            raise CommandError("--as takes one index: name it.")
        self._restore(backups, problems, options["as_name"], as_json=options["as_json"])

    def _restore(self, backups: list[Backup], problems: list[str], as_name: str | None, *, as_json: bool) -> None:
        restored: list[str] = []
        present: list[str] = []
        for backup in backups:
            name = as_name or backup.name
            try:
                with progress_bar(backup.count, f"items of {name}") as progress:
                    used, damaged = restore.restore_soundest(backup=backup, as_name=as_name, progress=progress)
                problems = [*problems, *damaged]
                if used is not None:
                    restored.append(name)
                if used is not None and damaged:
                    problems.append(f"{name}: restored from an older file instead, as it was at seq {used.seq}.")
            except IndexExists:
                present.append(name)
            except LakehouseError as error:
                problems = [*problems, f"{backup.object_name}: {error.detail}"]
        lines = [f"{name}: restored." for name in restored] + [f"{name}: exists, left alone." for name in present]
        text = "\n".join(lines) or "There are no snapshots in the object storage."
        self.answer({"restored": restored, "present": present, "problems": problems}, text, as_json=as_json)
        if problems:
            raise CommandError("\n".join(problems))

    def _show(self, backups: list[Backup], problems: list[str], *, as_json: bool) -> None:
        width = max([4, *(len(one.name) for one in backups)])
        lines = [f"{'NAME':<{width}}  {'ITEMS':>10}  {'SEQ':>10}  {'BYTES':>14}  {'MADE':<19}  OBJECT"]
        lines += [
            f"{one.name:<{width}}  {one.count:>10}  {one.seq:>10}  {one.bytes:>14}  {one.created_at[:19]}  "
            f"{one.object_name}"
            for one in backups
        ]
        text = "\n".join(lines) if backups else "There are no snapshots in the object storage."
        self.answer({"backups": [asdict(one) for one in backups], "problems": problems}, text, as_json=as_json)
        for problem in problems:
            self.stderr.write(problem)
