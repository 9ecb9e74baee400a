"""A Postgres for tests that do to it what the one of the run must not suffer: restarts, and connections that break."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.postgres import PostgresServer, _identity, create_database
from tests.processes import Server, copy_data, environment_for, run_manage

TOKEN = "token-of-the-tests"  # with one, no request has to look for tokens in the database
LOG_TAIL_CHARACTERS = 8_000


class OwnPostgres:
    """A running Postgres, and servers on copies of a migrated database in it."""

    def __init__(self, postgres: PostgresServer, folder: Path) -> None:
        self.postgres = postgres
        self._template_dir = folder / "template"
        self._template_dir.mkdir()
        self._template = f"template_{secrets.token_hex(6)}"
        url = create_database(postgres.url("postgres"), self._template)
        run_manage("migrate", "--verbosity", "0", environment=environment_for(self._template_dir, url))

    def new_database(self) -> str:
        """Return the name of a new database that is migrated."""
        name = f"lakehouse_{secrets.token_hex(6)}"
        create_database(self.postgres.url("postgres"), name, template=self._template)
        return name

    @contextmanager
    def server(self, database_url: str, folder: Path, **environment: str) -> Iterator[Server]:
        """Run a server on a database; show its log when the block fails."""
        copy_data(self._template_dir, folder)
        server = Server(folder, database_url, {"LAKEHOUSE_AUTH_TOKEN": TOKEN, **environment})
        try:
            server.start()
            yield server
        except BaseException:
            print(server.log()[-LOG_TAIL_CHARACTERS:])  # noqa: T201
            raise
        finally:
            server.kill()

    def execute(self, statement: str, *params: Any) -> list[Any]:
        """Run a statement in the maintenance database; return its rows."""
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            cursor = psycopg.ClientCursor(connection)
            cursor.execute(statement.encode(), params)
            return cursor.fetchall() if cursor.description else []

    def end_connections(self, database: str) -> int:
        """End every connection to a database, return their number."""
        ends = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
        return len(self.execute(ends, database))

    def start_again(self) -> None:
        """Start Postgres on the same files and port, after it was ended; it may not be ready yet on return."""
        arguments: Any = self.postgres.process.args
        folder = Path(arguments[arguments.index("-D") + 1]).parent
        with (folder / "log").open("ab") as log:
            self.postgres.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
                **_identity(),
            )
