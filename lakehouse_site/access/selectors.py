"""Reading tokens on the way of every request: raw SQL, because the ORM would cost more than a search."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, Error, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from lakehouse_site.access.tokens import ADMIN, Caller, hash_token, same_token
from lakehouse_site.outages import may_read_again

logger = logging.getLogger(__name__)

LAST_USE_SECONDS = 60.0
_BUSY_MILLISECONDS = 50

_ANY_ROW = "SELECT 1 FROM access_apitoken LIMIT 1"
_BY_HASH = """
    SELECT id, name, scope, index_pattern,
           CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= %s THEN 'expired' ELSE '' END
    FROM access_apitoken WHERE hash = %s
"""
_TOUCH = "UPDATE access_apitoken SET last_used_at = %s WHERE id = %s AND (last_used_at IS NULL OR last_used_at < %s)"


class _Memory:
    """What this process remembers: that a row exists (rows are never deleted), and when a use was last written."""

    def __init__(self) -> None:
        self.row_seen = False
        self.last_written: dict[int, float] = {}
        self.lock = threading.Lock()


_memory = _Memory()


def token_layer_is_on() -> bool:
    """Return whether a token must be sent: one is configured, or there is a row, even a revoked or expired one."""
    if _memory.row_seen or settings.LAKEHOUSE_AUTH_TOKEN.strip():
        return True
    database = connections[DEFAULT_DB_ALIAS]
    try:
        row = _any_row(database)
    except Error:
        if not may_read_again(database):
            raise
        row = _any_row(database)
    # Only True is remembered, so that a token made by another process counts from the next request on.
    _memory.row_seen = row is not None
    return _memory.row_seen


def _any_row(database: BaseDatabaseWrapper) -> object:
    database.ensure_connection()
    with database.wrap_database_errors:
        # Past Django's cursor, which costs twice the query; this runs at every call of an open server.
        return database.connection.execute(_ANY_ROW).fetchone()


def find_caller(token: bytes) -> tuple[Caller | None, str]:
    """Return whom a token speaks for, or ``None`` and the reason: ``unknown``, ``revoked`` or ``expired``."""
    if not token:
        return None, "unknown"
    if same_token(token, settings.LAKEHOUSE_AUTH_TOKEN.strip()):
        return Caller("LAKEHOUSE_AUTH_TOKEN", ADMIN), ""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(_BY_HASH, [now, hash_token(token)])
        row = cursor.fetchone()
    if row is None:
        return None, "unknown"
    token_id, name, scope, pattern, fault = row
    return (None, fault) if fault else (Caller(name, scope, pattern, token_id), "")


def note_use(token_id: int) -> None:
    """Write the time of the last use, at most once a minute, and never at the cost of the request."""
    now = time.monotonic()
    with _memory.lock:
        if now - _memory.last_written.get(token_id, -LAST_USE_SECONDS) < LAST_USE_SECONDS:
            return
        _memory.last_written[token_id] = now
    adapt = connection.ops.adapt_datetimefield_value
    moment = timezone.now()
    values = [adapt(moment), token_id, adapt(moment - timedelta(seconds=LAST_USE_SECONDS))]
    try:
        with connection.cursor() as cursor:
            if connection.vendor != "sqlite":
                cursor.execute(_TOUCH, values)
                return
            # A long write transaction elsewhere must not hold this request up for the 30 s that a write would wait.
            cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
            try:
                cursor.execute(_TOUCH, values)
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {1000 * connection.settings_dict['OPTIONS']['timeout']}")
    except DatabaseError as error:
        logger.info("last use not written", extra={"token_id": token_id, "error": type(error).__name__})


def forget() -> None:
    """Forget what this process remembers; for tests, whose database is emptied under its feet."""
    _memory.row_seen = False
    with _memory.lock:
        _memory.last_written.clear()
