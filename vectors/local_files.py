"""Files on this machine: errors that say what to do, and new files that are whole or not there."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lakehouse_site.errors import InvalidInput

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space or write elsewhere",
    errno.EDQUOT: "the quota of this disk is used up; free some space or write elsewhere",
    errno.EACCES: "permission is denied; write elsewhere, or ask who owns the folder",
    errno.EPERM: "permission is denied; write elsewhere, or ask who owns the folder",
    errno.EROFS: "the disk can only be read; write elsewhere",
    errno.ENOENT: "its folder does not exist; make it first",
    errno.ENOTDIR: "its folder is no folder",
}


def open_input(file: Path) -> BinaryIO:
    """Open a file for reading.

    Raises
    ------
    InvalidInput
        It cannot be opened.
    """
    try:
        return file.open("rb")
    except OSError as error:
        raise InvalidInput.at("", "unreadable", f"{file} cannot be read: {error.strerror}.") from error


@contextmanager
def new_file(target: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Yield an empty file that becomes `target` when the block ends well, in one step and on disk.

    Parameters
    ----------
    target
        Its folder has to exist.
    force
        Replace a file that is there.

    Raises
    ------
    InvalidInput
        `target` exists, cannot be written, or is being written by another process.

    Notes
    -----
    What is written goes to ``.NAME.part`` beside the target, under a lock. It is removed when the block fails; one that
    a killed process has left is taken over by the next.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        _refuse_existing(target, force)
        with _locked(part, target) as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                _refuse_existing(target, force)
                os.replace(part, target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        _sync_folder(target.parent)
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
        raise InvalidInput.at("", "unwritable", f"{target} cannot be written: {remedy}.") from error


def _refuse_existing(target: Path, force: bool) -> None:
    if target.exists() and not target.is_file():
        raise InvalidInput.at("", "no_file", f"{target} exists and is no file.")
    if os.path.lexists(target) and not force:
        raise InvalidInput.at("", "exists", f"{target} exists. Choose another name, or replace it with --force.")


@contextmanager
def _locked(part: Path, target: Path) -> Iterator[BinaryIO]:
    while True:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "w+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InvalidInput.at("", "busy", f"{target} is being written by another process.") from error
            if _is_at(part, file):
                file.truncate(0)
                yield file
                return


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Return whether `file` still has this name: who held the lock before may have renamed or removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # a name is on disk when its folder is
    finally:
        os.close(descriptor)
