"""The pages on tables, followed to the letter; engines on a live server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from pytest_django.live_server_helper import LiveServer

from catalog.models import QueryRun, Relation
from tests.catalog.engines import duckdb_with_extensions
from tests.clients.test_engines import CLIENTS, TIMEOUT_SECONDS
from tests.docs.pages import Step, fenced_blocks, page, steps_of
from tests.docs.shell import Shell

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True, reset_sequences=True)]
DOCUMENTED = "http://127.0.0.1:8000"
DOCUMENTED_SNAPSHOT = "2441963674990047002"


def run_client(*arguments: str) -> list[str]:
    """Run a program in the environment of the other engines; return what it printed."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "DAFT_ANALYTICS_ENABLED": "0"}
    done = subprocess.run(
        arguments, cwd=CLIENTS, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()


def run_python(block: str, live_server: LiveServer) -> None:
    exec(compile(block.replace(DOCUMENTED, live_server.url), "a page", "exec"), {})  # noqa: S102


def test_files_become_tables_that_are_queried(
    shell: Shell, live_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page("how-to/load-and-query-tables.md")
    shell.follow(steps_of(text))
    (arrow,) = fenced_blocks(text, "python")
    run_python(arrow, live_server)

    assert capsys.readouterr().out.split() == ["7"]
    assert {str(one): one.row_count for one in Relation.objects.all()} == {"shop.orders": 7, "shop.events": 1}
    assert QueryRun.objects.filter(status="done").count() == 3


def test_a_table_is_rolled_back_compacted_expired_dropped_and_undropped(shell: Shell) -> None:
    for step in steps_of(page("how-to/keep-tables-small.md")):
        shell.do(Step(tuple(with_snapshots(step.commands)), step.shown))

    row = Relation.objects.get()
    metadata = orjson.loads(row.metadata_text)
    assert (row.deleted_at, row.row_count, len(metadata["snapshots"])) == (None, 6, 1)
    assert row.commits.filter(action="rollback").count() == 1


def test_engines_connect(
    shell: Shell, live_server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page("how-to/connect-engines.md").replace(DOCUMENTED, live_server.url)
    load, _, _ = steps = steps_of(text)
    shell.do(load)
    iceberg, polars, daft = fenced_blocks(text, "python")
    run_python(iceberg, live_server)
    with duckdb_with_extensions(tmp_path) as database:
        (block,) = fenced_blocks(text, "sql")
        database.execute(block.replace("INSTALL iceberg;\n", ""))  # from the network; the wheels are the same
        (groups,) = database.fetchone()
    rows = run_client(str(CLIENTS / "bin" / "python"), "-c", polars + daft)
    (block,) = fenced_blocks(text, "js")
    script = CLIENTS / "connect-engines.mjs"  # a module is looked up from where the program lies
    script.write_text(block)
    fields = run_client(str(CLIENTS / "bin" / "node"), str(script))
    shell.follow(steps[1:])  # from the first token on, every call needs one

    assert capsys.readouterr().out.split() == ["2", "5"]
    assert (groups, rows, fields) == (4, ["2", "2"], ["5"])


def with_snapshots(commands: tuple[str, ...]) -> Iterator[str]:
    """Yield commands with the id of the last snapshot but one in the place of that on the page."""
    for command in commands:
        if DOCUMENTED_SNAPSHOT in command:
            snapshots = orjson.loads(Relation.objects.get().metadata_text)["snapshots"]
            command = command.replace(DOCUMENTED_SNAPSHOT, str(snapshots[-2]["snapshot-id"]))
        yield command
