"""What lies where on a disk that others can write to as well."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.disk_files import DiskFiles
from catalog.errors import BadCatalogRequest, OutsideWarehouse


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a warehouse; beside the warehouse lies a secret of the same name as a file in it."""
    for place in ("warehouse/t", "elsewhere"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "x").write_text(place)
    return tmp_path / "warehouse" / "t"


def _swapped(files: DiskFiles, folder: Path) -> Callable[[str], Path]:
    """Return `_path`, right after which the folder becomes a link to a place outside."""
    resolve = files._path

    def path(location: str) -> Path:
        found = resolve(location)
        folder.rename(folder.with_name("away"))
        folder.symlink_to(folder.parent.parent / "elsewhere")
        return found

    return path


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells where an open file is")
def test_a_folder_that_becomes_a_link_between_check_and_use_shows_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = DiskFiles(f"file://{folder.parent}")
    assert files.read(f"file://{folder}/x", max_bytes=100) == b"warehouse/t"
    monkeypatch.setattr(files, "_path", _swapped(files, folder))

    with pytest.raises(OutsideWarehouse):
        files.read(f"file://{folder}/x", max_bytes=100)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux tells where an open file is")
def test_nor_is_anything_written_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = DiskFiles(f"file://{folder.parent}")
    monkeypatch.setattr(files, "_path", _swapped(files, folder))

    with pytest.raises(OutsideWarehouse):
        files.write_new(f"file://{folder}/new", b"data")

    assert not any(path.read_bytes() == b"data" for path in (folder.parent.parent / "elsewhere").iterdir())


def test_a_pipe_is_no_file_and_nobody_waits_for_it(folder: Path) -> None:
    os.mkfifo(folder / "pipe")

    with pytest.raises(BadCatalogRequest, match="no file"):
        DiskFiles(f"file://{folder.parent}").open(f"file://{folder}/pipe")
