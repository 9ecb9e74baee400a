"""What an error of the database means to whoever called: which outage it is, what to do, and what may be tried again.

Errors are told apart by class and by the codes of the drivers (SQLSTATE of Postgres, result codes of SQLite), never by
their texts, which are translated.
"""

from __future__ import annotations

from django.db import Error, InterfaceError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from lakehouse_site.errors import DatabaseUnavailable

_LOST = "The connection to the database was lost. Try again."
# By SQLSTATE, or how it begins. While it connects, libpq tells only a text, so refusals then have no code.
_POSTGRES = {
    "08": _LOST,
    "25006": "The database is read-only, perhaps a standby. DATABASE_URL has to name the primary server.",
    "25P03": _LOST,  # idle in a transaction for longer than the server allows
    "53": "The database server has run out of disk, memory or connections. Free some there, then send it again.",
    "57014": "The database cancelled a statement that took too long. Try again.",
    "57P": "The database has ended the connection. Try again.",
}
# By the name of the primary result code.
_SQLITE = {
    "SQLITE_BUSY": "Another process has held the database for too long. Try again.",
    "SQLITE_LOCKED": "Another process has held the database for too long. Try again.",
    "SQLITE_FULL": "The disk of the database is full. Free space where LAKEHOUSE_DATA_DIR lies, then send it again.",
    "SQLITE_IOERR": (
        "The disk of the database could not be read or written. Look after the disk of LAKEHOUSE_DATA_DIR (free space, "
        "quota, the kernel's log), then send it again."
    ),
    "SQLITE_READONLY": (
        "The database may only be read. Make LAKEHOUSE_DATA_DIR and the database in it writable for the user of the "
        "server, then send it again."
    ),
    "SQLITE_CANTOPEN": "The database file cannot be opened. Is LAKEHOUSE_DATA_DIR there and writable for the server?",
    "SQLITE_ERROR": "The database does not fit this version. Run `manage.py migrate`.",
}
_UNKNOWN = "The database cannot be reached, takes no more connections, or was busy for too long. Try again."


def code_of(error: BaseException) -> str:
    """Return the driver's code of a database error: SQLSTATE, name of an SQLite result code, or nothing."""
    one: BaseException | None = error
    while one is not None:
        code = getattr(one, "sqlstate", None) or getattr(one, "sqlite_errorname", None)
        if code:
            return str(code)
        one = one.__cause__
    return ""


def reason_of(error: BaseException) -> str:
    """Return what the driver said, in one line; it is for the log and the terminal, since it names hosts and users."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())


def outage_of(error: BaseException | None) -> DatabaseUnavailable | None:
    """Return what to tell of an error that is an outage of the database, ``None`` of any other."""
    if isinstance(error, DatabaseUnavailable):
        return error
    if not isinstance(error, Error):
        return None
    detail = _detail(code_of(error))
    # Any other class is for what is wrong with a statement, but for a few codes.
    if detail is None and not isinstance(error, (OperationalError, InterfaceError)):
        return None
    return DatabaseUnavailable(detail or _UNKNOWN)


def is_expected(error: BaseException) -> bool:
    """Return whether an outage is nothing that a traceback would help to understand."""
    return code_of(error) != "SQLITE_ERROR"


def is_lost(database: BaseDatabaseWrapper) -> bool:
    """Return whether the connection of this thread has broken; always false on SQLite, which has none to lose."""
    return bool(getattr(database.connection, "closed", False)) and database.vendor != "sqlite"


def may_read_again(database: BaseDatabaseWrapper) -> bool:
    """Drop the connection of this thread if it has broken; return whether a read that failed may be done once more.

    In a transaction it may not: what was read and written before has gone with the connection.
    """
    if database.in_atomic_block or not is_lost(database):
        return False
    database.close()
    return True


def _detail(code: str) -> str | None:
    if code.startswith("SQLITE_"):
        return _SQLITE.get("_".join(code.split("_")[:2]))
    return _POSTGRES.get(code) or _POSTGRES.get(code[:3]) or _POSTGRES.get(code[:2])
