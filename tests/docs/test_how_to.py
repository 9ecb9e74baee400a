"""The how-to pages on merging, quarantine, upgrading and the Go service, followed to the letter."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from django.conf import settings

from distillation.models import QuarantinedLine, RecallNotice, ScoredRun
from tests.docs.pages import page, steps_of
from tests.docs.shell import Shell
from tests.factories import add, make_index
from vectors.indexes import index_state

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True, reset_sequences=True)]


def follow(shell: Shell, name: str, skip: Sequence[str] = ()) -> list[str]:
    return shell.follow(steps_of(page(f"how-to/{name}.md")), skip=skip)


def test_fresh_is_merged_into_main(shell: Shell) -> None:
    follow(shell, "merge-fresh-into-main")

    assert index_state(name="main").live_count == 2000


def test_the_quarantine_is_reviewed(shell: Shell) -> None:
    follow(shell, "review-quarantine")

    decided = dict(QuarantinedLine.objects.exclude(status="open").values_list("pk", "status"))
    assert decided == {3: "discarded", 5: "discarded", 24: "released", 49: "discarded", 50: "released",
                       51: "discarded", 52: "discarded"}  # fmt: skip
    assert not ScoredRun.objects.filter(is_disputed=True).exists()
    assert not RecallNotice.objects.exists()


def test_an_installation_is_upgraded(shell: Shell) -> None:
    make_index()
    add("docs", [{"id": "a", "vector": [1, 0, 0]}])
    (shell.folder / "var").mkdir()
    (shell.folder / "var" / "lakehouse.sqlite3").symlink_to(settings.DATABASES["default"]["NAME"])
    # These change this repository and this machine.
    skip = ("git pull", "make install", "sudo systemctl")

    printed: list[Any] = follow(shell, "upgrade", skip)

    assert printed[-1].startswith("docs: recall@10 is 1.0000")
    with closing(sqlite3.connect(shell.folder / "before-upgrade.sqlite3")) as copy:
        assert copy.execute("SELECT name FROM vectors_vectorindex").fetchall() == [("docs",)]
