"""What a test with real commits leaves in the database goes in a fraction of the time that Django takes for it.

After each such test Django truncates every table and makes content types and permissions anew. Here only tables with
rows are emptied, and what `migrate` has made stays.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

# As `migrate` leaves them: no test adds to them.
KEPT = {"django_migrations", "django_content_type", "auth_permission"}


def empty_tables(_test_case: Any = None) -> None:
    """Delete all rows but those of `migrate`; takes the place of TransactionTestCase._fixture_teardown."""
    tables = sorted({*connection.introspection.django_table_names(include_views=False)} - KEPT)
    with transaction.atomic(), connection.cursor() as cursor:
        # Foreign keys are checked at the end of the transaction, so any order will do.
        for table in _with_rows(cursor, tables):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")  # noqa: S608  our own tables


def _with_rows(cursor: CursorWrapper, tables: list[str]) -> list[str]:
    quoted = {table: connection.ops.quote_name(table) for table in tables}
    parts = [f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {name})" for table, name in quoted.items()]  # noqa: S608
    cursor.execute(" UNION ALL ".join(parts))
    return [name for (name,) in cursor.fetchall()]
