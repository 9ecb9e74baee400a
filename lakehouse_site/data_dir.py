"""The data directory and the secret key in it, made on the first start."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

SECRET_KEY_FILE = "secret_key"  # noqa: S105  a file name, not a secret


def make_data_dir(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"LAKEHOUSE_DATA_DIR is {str(path)!r}, which cannot be made: {error}.") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ImproperlyConfigured(f"LAKEHOUSE_DATA_DIR is {str(path)!r}, which this user cannot write to.")


def secret_key(path: Path) -> str:
    """Return the key kept in the data directory ``path``; make it if there is none yet."""
    file = path / SECRET_KEY_FILE
    try:
        if not file.exists():
            _create(file)
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"The secret key in {str(file)!r} cannot be read or made: {error}. Set LAKEHOUSE_SECRET_KEY instead."
        ) from None
    if not key:
        raise ImproperlyConfigured(f"{str(file)!r} is empty: delete it, or set LAKEHOUSE_SECRET_KEY.")
    return key


def _create(file: Path) -> None:
    # Written whole under another name and then linked: of two processes that start at once one link wins, the other
    # reads the winner's key, and nobody ever sees half a key. mkstemp makes the file with mode 0600.
    handle, name = tempfile.mkstemp(prefix=".secret_key-", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(secrets.token_urlsafe(50) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(name, file)
    finally:
        os.unlink(name)
