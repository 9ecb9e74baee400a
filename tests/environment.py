"""Loaded by pytest before Django reads its settings (`-p tests.environment`): the suite's own world.

No variable of the person who runs the tests decides anything here, except

``LAKEHOUSE_TEST_DATABASE``
    ``sqlite`` (default), ``postgres`` (a server is started for the run), or the ``postgres://`` URL of a server on
    which databases may be created and dropped.
``LAKEHOUSE_TEST_EXAMPLES``
    how many examples a property is tried on (50), see `tests/conftest.py`.

Under xdist the controller makes the world and the workers inherit it; each worker gets its own data directory.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

_OWN = "LAKEHOUSE_TEST_"
_DATABASE = _OWN + "DATABASE"
_ROOT = _OWN + "ROOT"
_POSTGRES_URL = _OWN + "POSTGRES_URL"


def _forget_the_users_settings() -> None:
    for name in list(os.environ):
        foreign = name.startswith(("LAKEHOUSE_", "AWS_")) or name in {"DATABASE_URL", "DATABASE_URL_FILE"}
        if foreign and not name.startswith(_OWN):
            del os.environ[name]
    # Else each of the many processes of a run compiles the project anew, a quarter of the time it takes to start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def _make_world() -> None:
    """Make the temporary folder and, if wanted, the Postgres; both go when this process ends."""
    stack = ExitStack()
    atexit.register(stack.close)
    root = tempfile.mkdtemp(prefix="lakehouse-tests-")
    stack.callback(shutil.rmtree, root, ignore_errors=True)
    os.environ[_ROOT] = root
    os.environ.pop(_POSTGRES_URL, None)
    wanted = os.environ.get(_DATABASE, "sqlite")
    if wanted.startswith(("postgres://", "postgresql://")):
        os.environ[_POSTGRES_URL] = wanted
    elif wanted == "postgres":
        from tests.postgres import run_postgres

        os.environ[_POSTGRES_URL] = stack.enter_context(run_postgres()).url("postgres")
    elif wanted != "sqlite":
        raise SystemExit(f"{_DATABASE} must be sqlite, postgres or a postgres:// URL, not {wanted!r}.")


def _enter_world() -> None:
    data_dir = Path(os.environ[_ROOT]) / os.environ.get("PYTEST_XDIST_WORKER", "main")
    data_dir.mkdir(exist_ok=True)
    os.environ["LAKEHOUSE_DATA_DIR"] = str(data_dir)
    os.environ["LAKEHOUSE_MAINTENANCE_SECONDS"] = "0"  # tests do its work themselves
    os.environ["LAKEHOUSE_LAKE_EXPORTS"] = "0"  # some seconds for each process that exports; who needs it says so
    if _POSTGRES_URL in os.environ:
        os.environ["DATABASE_URL"] = os.environ[_POSTGRES_URL]


def postgres_url() -> str | None:
    """Return the URL of the server's maintenance database, None when the run is on SQLite."""
    return os.environ.get(_POSTGRES_URL)


_forget_the_users_settings()
if "PYTEST_XDIST_WORKER" not in os.environ:
    _make_world()
_enter_world()
