"""The page on tables for other engines, followed to the letter, with DuckDB and pyiceberg on a live server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from distillation.models import ScoredRun, StageDecision
from tests.catalog.engines import duckdb_with_extensions
from tests.docs.pages import fenced_blocks, page, steps_of
from tests.docs.shell import Shell

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True, reset_sequences=True)]
PAGE = page("how-to/tables-for-other-engines.md")
DOCUMENTED = "http://127.0.0.1:8000"


def test_runs_exports_and_an_index_are_read_from_outside(
    shell: Shell, live_server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.follow(steps_of(PAGE))

    with duckdb_with_extensions(tmp_path) as database:
        answers = []
        for block in fenced_blocks(PAGE, "sql"):
            for statement in block.replace(DOCUMENTED, live_server.url).split(";\n"):
                if statement.strip() and not statement.startswith(
                    "INSTALL"
                ):  # from the network; the wheels are the same
                    answers.append(database.execute(statement).fetchall())
    outcomes, nearest, current = answers[-3:]
    assert sum(count for _, count in outcomes) == StageDecision.objects.count() > 0
    assert nearest[0][0] == "rdiff"
    assert [score for _, score in nearest] == sorted((score for _, score in nearest), reverse=True)
    assert sum(count for *_, count in current) == ScoredRun.objects.count()
    assert sum(count for _, is_disputed, count in current if is_disputed) == 3

    (block,) = fenced_blocks(PAGE, "python")
    exec(compile(block.replace(DOCUMENTED, live_server.url), "tables-for-other-engines.md", "exec"), {})  # noqa: S102
    *snapshots, rows = capsys.readouterr().out.split()
    assert re.fullmatch(r"\d+ 296", " ".join(snapshots))
    assert int(rows) == ScoredRun.objects.filter(category="accepted", score__gt=0.9).count() > 0
