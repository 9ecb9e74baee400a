"""Installations of every kind, with templates and services they share."""

from __future__ import annotations

import math
import secrets
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tests.chaos.objects import Objects
from tests.chaos.result import Result
from tests.chaos.sites import Site
from tests.postgres import create_database, drop_database
from tests.processes import copy_data, environment_for, run_manage
from tests.s3 import S3Endpoint

Database = Literal["sqlite", "postgres"]
Storage = Literal["local", "s3"]

MIN_GRAPH_ITEMS = 20
"""Graphs from so few items on, that crashes and snapshots meet them."""


@dataclass
class Grounds:
    """What a run has: a folder, a migrated template for each database, an S3 service. Drops what it has made."""

    folder: Path
    admin_url: str | None
    s3: S3Endpoint
    sqlite_template: Path | None = None
    postgres_template: str | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def _sqlite(self) -> Path:
        if self.sqlite_template is not None:
            return self.sqlite_template
        template = self._new_folder("template")
        run_manage("migrate", "--verbosity", "0", environment=environment_for(template, None))
        return template

    @cached_property
    def _postgres(self) -> str:
        if self.postgres_template is not None:
            return self.postgres_template
        url = self._new_database(None)
        run_manage("migrate", "--verbosity", "0", environment=environment_for(self._new_folder("template"), url))
        return url.rsplit("/", 1)[1]

    def prepare(self) -> None:
        """Migrate both templates now, so that worlds may be made side by side."""
        _ = (self._sqlite, self._postgres if self.admin_url else None)

    @cached_property
    def s3_client(self) -> Any:
        return self._stack.enter_context(self.s3.client())

    def new_site(self, database: Database, bucket: S3Endpoint | None, min_items: int | None) -> Site:
        """Make an installation with an empty database."""
        folder = self._new_folder("site")
        objects = Objects(folder / "objects", bucket, self.s3_client if bucket else None)
        if database == "sqlite":
            copy_data(self._sqlite, folder)
            return Site(folder, None, objects, min_items)
        return Site(folder, self._new_database(self._postgres), objects, min_items)

    def close(self) -> None:
        self._stack.close()

    def _new_database(self, template: str | None) -> str:
        name = f"chaos_{secrets.token_hex(6)}"
        url = create_database(self._admin(), name, template=template)
        self._stack.callback(drop_database, self._admin(), name)
        return url

    def _admin(self) -> str:
        if self.admin_url is None:
            raise RuntimeError("This run has no Postgres.")
        return self.admin_url

    def _new_folder(self, what: str) -> Path:
        folder = self.folder / f"{what}-{secrets.token_hex(6)}"
        folder.mkdir(parents=True)
        return folder


@dataclass(frozen=True)
class World:
    """One kind of database with one kind of storage, and until when (`time.monotonic`) there is time for it."""

    grounds: Grounds
    database: Database
    storage: Storage
    deadline: float = math.inf

    def has_time(self, result: Result) -> bool:
        """Return whether another round may begin; the first may always, and a run that was cut short says so."""
        if time.monotonic() < self.deadline or not result.rounds:
            return True
        result.notes.append("cut short for want of time")
        return False

    def site(self, *, min_items: int | None = MIN_GRAPH_ITEMS) -> Site:
        """Make an installation with an empty storage."""
        bucket = self.grounds.s3.new_bucket() if self.storage == "s3" else None
        return self.grounds.new_site(self.database, bucket, min_items)

    def empty_beside(
        self,
        site: Site,
        *,
        database: Database | None = None,
        copied: bool = False,
        min_items: int | None = MIN_GRAPH_ITEMS,
    ) -> Site:
        """Make an installation with an empty database that has the objects of another, or a copy of them."""
        made = self.grounds.new_site(database or self.database, site.objects.bucket, min_items)
        if site.objects.bucket is None and copied:
            shutil.copytree(site.objects.folder, made.objects.folder)
        elif site.objects.bucket is None:
            made.objects.folder.symlink_to(site.objects.folder)
        return made

    @property
    def other_database(self) -> Database:
        """The other kind, where the run has it."""
        if self.database == "postgres":
            return "sqlite"
        return "postgres" if self.grounds.admin_url else "sqlite"
