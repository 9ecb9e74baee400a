"""Fixtures of the whole suite: data directories, and real servers on them.

`server` is fresh for one test, which may do to it what it likes; `shared_server` lives as long as the run, for tests
that give their indexes names of their own (`index_name`). Both are on the database of the run, see
`tests/environment.py`. `make_server` starts as many as a test needs.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import botocore.session
import httpx
import pytest
from django.conf import settings
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests.emptying import empty_tables
from tests.environment import postgres_url
from tests.fault_proxy import FaultProxy, run_fault_proxy
from tests.filled import Filled, fill
from tests.postgres import create_database, drop_database
from tests.processes import NO_TLS, Server, copy_data, environment_for, run_manage
from tests.s3 import S3Endpoint, run_moto, run_rclone

LOG_TAIL_CHARACTERS = 8_000
# What a database comes from, directly or through another fixture; and folders whose tests start processes themselves.
DATABASE_FIXTURES = {"db", "transactional_db", "migrated_template", "empty_database"}
PROCESS_FOLDERS = {"e2e", "chaos"}
# These start servers and say nothing about the database, or start both kinds themselves.
ONCE = {
    "benchmarks", "browser", "docs", "lakehouse_client", "lakehouse_site", "test_access.py", "test_bind_gate.py",
    "test_catalog_data.py", "test_check_processes.py", "test_docs.py", "test_engines_s3.py",
    "test_export_datasets.py", "test_export_processes.py", "test_export_s3.py",
    "test_exports_processes.py", "test_full_disk.py", "test_hostile_commits.py", "test_hostile_requests.py",
    "test_catalog_maintenance.py", "test_imports_parquet.py", "test_ingest_kills.py",
    "test_keep_alive.py", "test_killed_connections.py", "test_lost_connections.py", "test_process_end.py",
    "test_restart.py", "test_run.py", "test_stress.py", "test_up.py",
}  # fmt: skip
STATE_MACHINES = {"test_state_machine.py", "test_two_processes.py"}
# A line for every request of the tests would bury what the servers say.
logging.getLogger("httpx").setLevel(logging.WARNING)
# Nothing may fail because a machine is slow. Every run draws other examples; for many of them at once:
# `LAKEHOUSE_TEST_EXAMPLES=1000 make test`.
hypothesis_settings.register_profile(
    "suite",
    deadline=None,
    max_examples=int(os.environ.get("LAKEHOUSE_TEST_EXAMPLES", "50")),
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("suite")
_servers_key = pytest.StashKey[list[Server]]()


class MakeServer(Protocol):
    """Start a server on data of its own; keyword arguments are further environment variables."""

    def __call__(self, **environment: str) -> Server: ...


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty data directory."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def index_name() -> str:
    """A name no other test uses."""
    return f"index-{secrets.token_hex(6)}"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """On SQLite, test on a file: a database in memory has no WAL and no second process."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database.setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _without_needless_work() -> Iterator[None]:
    """Empty tables and hash passwords in a fraction of Django's time; parse what botocore knows of S3 only once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        patch.setattr(settings, "PASSWORD_HASHERS", ["django.contrib.auth.hashers.MD5PasswordHasher"])
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@contextmanager
def _new_database(template_url: str | None = None) -> Iterator[str | None]:
    """Make a database of the run's kind: its URL, or None for the SQLite file in the data directory."""
    admin_url = postgres_url()
    if admin_url is None:
        yield None
        return
    name = f"lakehouse_{secrets.token_hex(6)}"
    template = template_url.rsplit("/", 1)[1] if template_url else None
    try:
        yield create_database(admin_url, name, template=template)
    finally:
        drop_database(admin_url, name)


@pytest.fixture
def empty_database() -> Iterator[str | None]:
    """DATABASE_URL of an empty database; None on SQLite, where the file in the data directory is one."""
    with _new_database() as database_url:
        yield database_url


@pytest.fixture(scope="session")
def migrated_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str | None]]:
    """Data that is migrated once and copied for each server: the folder and, on Postgres, the URL."""
    folder = tmp_path_factory.mktemp("template")
    with _new_database() as database_url:
        run_manage("migrate", "--verbosity", "0", environment=environment_for(folder, database_url))
        yield folder, database_url


@contextmanager
def running_server(
    template: tuple[Path, str | None], folder: Path, environment: dict[str, str]
) -> Generator[Server, None, None]:
    """Start a server on a copy of the `migrated_template`; for fixtures that live longer than a test."""
    template_dir, template_url = template
    copy_data(template_dir, folder)
    with _new_database(template_url) as database_url:
        server = Server(folder, database_url, environment)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@pytest.fixture
def make_server(
    request: pytest.FixtureRequest, migrated_template: tuple[Path, str | None], tmp_path: Path
) -> Iterator[MakeServer]:
    """A function that starts servers, each on data of its own; all end with the test."""
    started = request.node.stash.setdefault(_servers_key, [])
    with ExitStack() as stack:

        def make(**environment: str) -> Server:
            folder = tmp_path / f"server-{len(started)}"
            server = stack.enter_context(running_server(migrated_template, folder, environment))
            started.append(server)
            return server

        yield make


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    """A server for this test alone."""
    return make_server()


@pytest.fixture
def idle_server(migrated_template: tuple[Path, str | None], data_dir: Path) -> Iterator[Server]:
    """A server that is not running: data of this test alone, for commands."""
    template_dir, template_url = migrated_template
    copy_data(template_dir, data_dir)
    with _new_database(template_url) as database_url:
        yield Server(data_dir, database_url)


@pytest.fixture(scope="session")
def _session_server(
    migrated_template: tuple[Path, str | None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with running_server(migrated_template, tmp_path_factory.mktemp("shared-server"), {}) as server:
        yield server


@pytest.fixture
def shared_server(request: pytest.FixtureRequest, _session_server: Server) -> Server:
    """A server that other tests use too: never stop it, and touch only indexes this test has made."""
    request.node.stash.setdefault(_servers_key, []).append(_session_server)
    return _session_server


@pytest.fixture(scope="module")
def filled(migrated_template: tuple[Path, str | None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A server of this module with a little of everything, and with a worker for what the admin queues."""
    folder = tmp_path_factory.mktemp("filled")
    with running_server(migrated_template, folder, {"LAKEHOUSE_WORKER": "1"}) as server:
        yield fill(server)


@pytest.fixture
def make_http() -> Iterator[Callable[[Server], httpx.Client]]:
    """A function that opens an HTTP client on a server; all are closed with the test."""
    with ExitStack() as stack:

        def make(server: Server, **options: Any) -> httpx.Client:
            # trust_env off: a proxy of the machine has no business on the loopback address.
            client = httpx.Client(base_url=server.base_url, timeout=60, trust_env=False, verify=NO_TLS, **options)
            return stack.enter_context(client)

        yield make


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On Postgres, leave out what has no database: it ran on SQLite and would do the same again."""
    if postgres_url() is None:
        return
    again = [item for item in items if _may_use_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(again)])
    items[:] = again


def _may_use_database(item: pytest.Item) -> bool:
    fixtures: list[str] = getattr(item, "fixturenames", [])
    if item.path.name in ONCE or item.path.parent.name in ONCE:
        return False
    if item.path.parent.name in PROCESS_FOLDERS and "s3" in item.name:
        return False  # the storage does not care which database it is, and CI has twenty minutes
    if item.path.name in STATE_MACHINES and "[long]" in item.name:
        return False  # as far as the database goes, the short run meets the same
    return (
        item.get_closest_marker("django_db") is not None
        or not DATABASE_FIXTURES.isdisjoint(fixtures)
        or item.path.parent.name in PROCESS_FOLDERS
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the servers of a failed test wrote."""
    report = yield
    if report.failed:
        for server in item.stash.get(_servers_key, []):
            report.sections.append((f"log of the server at {server.base_url}", server.log()[-LOG_TAIL_CHARACTERS:]))
    return report


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Endpoint]:
    """An S3 service of the run (rclone, which verifies signatures); take a `new_bucket()` to have one alone."""
    with run_rclone() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def _s3_tls() -> Iterator[S3Endpoint]:
    with run_rclone(tls=True) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def _s3_moto() -> Iterator[S3Endpoint]:
    with run_moto() as endpoint:
        yield endpoint


@pytest.fixture(params=["rclone", "rclone-tls", "moto"])
def s3_endpoint(request: pytest.FixtureRequest) -> S3Endpoint:
    """An empty bucket, on each kind of S3 service in turn."""
    fixture = {"rclone": "s3", "rclone-tls": "_s3_tls", "moto": "_s3_moto"}[request.param]
    service: S3Endpoint = request.getfixturevalue(fixture)
    return service.new_bucket()


@pytest.fixture
def fault_proxy(s3: S3Endpoint) -> Iterator[FaultProxy]:
    """A proxy in front of `s3` that fails on demand; a process goes there by `s3.through(fault_proxy.url)`."""
    with run_fault_proxy(s3.url) as proxy:
        yield proxy
