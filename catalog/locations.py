"""Where files may lie: below the root of their warehouse, by any reading of their address."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from catalog.errors import OutsideWarehouse

MAX_LOCATION_LENGTH: Final = 2048
FILE: Final = "file://"
# Some readers decode once, some twice; what still decodes after this is no address of ours.
MAX_DECODINGS: Final = 3
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NEVER: Final = re.compile(r"[\x00-\x1f\x7f\\?#\ud800-\udfff]")


def confine(location: object, *, root: str) -> str:
    """Return a location below the root of its warehouse, as it is written here.

    Parameters
    ----------
    location
        A text: ``file:///…``, ``file:/…`` or a path from ``/`` when the root is a folder, else ``s3://bucket/…``.
    root
        What every location begins with; the root itself lies in the warehouse.

    Returns
    -------
    str
        Normalised: ``file:/x`` and ``/x`` become ``file:///x``; without a slash at the end.

    Raises
    ------
    OutsideWarehouse
        Another scheme, host or bucket; a relative location; a segment that is empty, ``.`` or ``..``, also one that
        appears when it is decoded; NUL and other control characters, a backslash, ``?`` or ``#``, a lone surrogate.

    Notes
    -----
    A partition's folder may contain ``%2F``, so an escape by itself is no fault. Symbolic links are not looked at:
    whoever opens a file does that.
    """
    if not isinstance(location, str) or len(location) > MAX_LOCATION_LENGTH:
        raise OutsideWarehouse(f"A location is a text of at most {MAX_LOCATION_LENGTH} characters.")
    wanted, base = _normal(location, root), _normal(root, root)
    if wanted == base:
        return wanted
    prefix = base.rstrip("/") + "/"
    if not wanted.startswith(prefix) or _NEVER.search(wanted.removeprefix(prefix)):
        raise _outside(location, root)
    if any(segment in ("", ".", "..") for segment in wanted.removeprefix(prefix).split("/")):
        raise _outside(location, root)
    _check_decoded(wanted.removeprefix(prefix), location, root)
    return wanted


def relative_key(location: object, *, root: str) -> str:
    """Return what follows the root in a location: the key of a file in the warehouse's storage, "" for the root.

    Raises
    ------
    OutsideWarehouse
        As `confine`.
    """
    found = confine(location, root=root)
    return found.removeprefix(_normal(root, root)).removeprefix("/")


def _normal(location: str, root: str) -> str:
    location = location.removesuffix("/") if len(location) > 1 else location
    if not root.startswith(("file:", "/")):
        return location
    path = location
    if location.startswith("file:///"):
        path = location.removeprefix(FILE)
    elif location.startswith("file:/") and not location.startswith(FILE):
        path = location.removeprefix("file:")
    return FILE + path if path.startswith("/") else location


def _check_decoded(key: str, location: str, root: str) -> None:
    for _ in range(MAX_DECODINGS):
        decoded = unquote(key, errors="replace")
        if decoded == key:
            return
        key = decoded
        if _CONTROL.search(key) or any(segment in (".", "..") for segment in re.split(r"[/\\]", key)):
            raise _outside(location, root)
    if unquote(key, errors="replace") != key:
        raise _outside(location, root)


def _outside(location: str, root: str) -> OutsideWarehouse:
    return OutsideWarehouse(f"Invalid location: {location[:300]!a} does not lie in the warehouse at {root}.")
