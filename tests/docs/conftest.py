from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from lakehouse_site.access import selectors
from tests.docs.shell import Shell
from tests.processes import ROOT
from vectors.replicas import replicas

DATA = {"var", ".venv", ".git"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with everything the repository has and the environment that runs these tests."""
    folder = tmp_path / "lakehouse"
    folder.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in DATA:
            (folder / entry.name).symlink_to(entry)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture
def shell(
    django_db_reset_sequences: None, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> Iterator[Shell]:
    """A reader with an empty database who has just cloned the repository."""
    monkeypatch.chdir(checkout)
    settings.LAKEHOUSE_DATA_DIR = tmp_path
    # An object storage of its own, since `index_restore` finds whatever is in it.
    objects = settings.STORAGES["default"] | {"OPTIONS": {"location": str(tmp_path / "objects")}}
    settings.STORAGES = settings.STORAGES | {"default": objects}
    selectors.forget()
    yield Shell(checkout)
    replicas.stop()
    selectors.forget()
