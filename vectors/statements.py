"""One statement, past the ORM and Django's cursors, on the connection of this thread; see `rows.py` for the reasons.

Statements are written once for SQLite and Postgres: ``%s`` is a parameter, ``{among}`` compares with a list.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import orjson
from django.db import DEFAULT_DB_ALIAS, Error, connection, connections

from lakehouse_site.outages import may_read_again


def run(sql: str, params: Sequence[Any]) -> list[Any]:
    """Run a statement and return its rows; once more where a connection had died and nothing is lost by that."""
    try:
        return _run(sql, params)
    except Error:
        if not may_read_again(connections[DEFAULT_DB_ALIAS]):
            raise
    return _run(sql, params)


def run_many(sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run a statement of SQLite for each row of parameters."""
    with connection.wrap_database_errors:
        connection.connection.executemany(sql, rows)


def id_param(index_id: uuid.UUID) -> str | uuid.UUID:
    """Return a uuid as the driver wants it."""
    return index_id.hex if connection.vendor == "sqlite" else index_id


def list_param(values: Sequence[Any]) -> Any:
    """Return the list for ``{among}`` as one parameter: so the statement is the same for any number, and prepared."""
    return orjson.dumps(values).decode() if connection.vendor == "sqlite" else list(values)


def _run(sql: str, params: Sequence[Any]) -> list[Any]:
    database = connections[DEFAULT_DB_ALIAS]  # one look-up: each one through `connection` costs 2 µs
    database.ensure_connection()
    with database.wrap_database_errors:
        if database.vendor == "sqlite":
            text = sql.replace("{among}", "IN (SELECT value FROM json_each(%s))").replace("%s", "?")
            return list(database.connection.execute(text, params).fetchall())
        from psycopg import Cursor  # Django has loaded it then; on SQLite it would delay every start

        cursor = Cursor(database.connection)
        cursor.execute(sql.replace("{among}", "= ANY(%s)"), params, prepare=True, binary=True)
        return cursor.fetchall() if cursor.description else []
