"""The pages that need a Postgres: moving to it and to S3, and tables of pgvector that come over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.docs.pages import Step, fenced_blocks, page, prints, steps_of
from tests.docs.shell import MANAGE, Shell
from tests.postgres import PostgresServer, create_database, run_postgres
from tests.processes import ROOT, copy_data
from tests.s3 import S3Endpoint
from tests.vectors.lhv1_files import GOLDEN

pytestmark = pytest.mark.slow
SAMPLE = ROOT / "tests" / "distillation" / "scored_runs_sample" / "data"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with run_postgres() as server:
        yield server


def test_an_installation_moves_to_postgres_and_s3(
    migrated_template: tuple[Path, str | None], postgres: PostgresServer, s3: S3Endpoint, checkout: Path
) -> None:
    shell = Shell(checkout)
    bucket = s3.new_bucket()
    settings = bucket.environment | {"DATABASE_URL": create_database(postgres.url("postgres"), "moved")}
    make, leave, export, *arrive = steps_of(page("how-to/postgres-and-s3.md"))
    before = Step((MANAGE + f"index_import docs {GOLDEN}/v2.lhv1", MANAGE + f"ingest_scored_runs {SAMPLE}"), "")
    after = Step((MANAGE + "quarantine list --status all --json",), '{"id":1,…,"status":"discarded","note":"no"…')
    decided = Step((MANAGE + "quarantine discard 1 --by Ada --note no",), "")

    copy_data(migrated_template[0], checkout / "var")
    shell.follow_with([before, decided, leave], {})
    shell.follow_with([*arrive, after], settings)

    assert all(command.startswith("sudo ") for command in make.commands)
    assert {command.removeprefix("export ").partition("=")[0] for command in export.commands} <= set(settings)
    assert bucket.keys("_vectors/")


def test_a_table_of_pgvector_comes_over(postgres: PostgresServer, shell: Shell) -> None:
    url = create_database(postgres.url("postgres"), "shop")
    text = page("how-to/from-pgvector.md")
    (table,) = fenced_blocks(text, "sql")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute(table.encode())
        connection.execute(
            "INSERT INTO notes VALUES (1, '[1,0,0]', 'en', '2026-03-01', '{a,b}', 9.50), "
            "(2, '[0.1,3e-8,1]', 'en', NULL, NULL, 20), "
            "(3, '[0,0,0.3]', 'fr', '2026-03-02', '{}', 1), (4, NULL, 'en', NULL, NULL, 1)"
        )
    export, *others = steps_of(text)
    address, command = export.commands
    assert address.startswith("export SOURCE_URL=")
    shell.environment["SOURCE_URL"] = url

    printed = shell.run(command)
    shell.follow(others)

    assert prints(export.shown, printed)
