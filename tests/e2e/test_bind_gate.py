"""What `manage.py serve` refuses to start, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from tests.conftest import MakeServer
from tests.ports import free_port, is_listening
from tests.processes import NO_TLS, Server, environment_for, run_manage

TOKEN = "the-token-of-this-test"
ANY = "0.0.0.0:8000"
MakeHttp = Callable[[Server], httpx.Client]


def _refused(server: Server, bind: str, **environment: str) -> str:
    """Run `serve`, which must refuse; return what it said."""
    done = run_manage("serve", "--bind", bind, environment={**server.environment, **environment}, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("bind", [ANY, "[::]:8000", "10.255.255.254:8000", "0.0.0.0"])  # noqa: S104
def test_without_anything_both_missing_settings_are_named(shared_server: Server, bind: str) -> None:
    said = _refused(shared_server, bind)

    assert "lakehouse.E001" in said
    assert "LAKEHOUSE_AUTH_TOKEN" in said
    assert "lakehouse.E002" in said
    assert "LAKEHOUSE_ALLOW_NON_LOOPBACK=1" in said


def test_each_missing_setting_is_named_alone(shared_server: Server) -> None:
    with_token = _refused(shared_server, ANY, LAKEHOUSE_AUTH_TOKEN=TOKEN)
    with_leave = _refused(shared_server, ANY, LAKEHOUSE_ALLOW_NON_LOOPBACK="1")
    blank = _refused(shared_server, ANY, LAKEHOUSE_AUTH_TOKEN=" ", LAKEHOUSE_ALLOW_NON_LOOPBACK="1")

    assert "E001" not in with_token
    assert "E002" in with_token
    assert "E001" in with_leave
    assert "E002" not in with_leave
    assert "E001" in blank


def test_the_variable_is_held_to_the_same_rule(shared_server: Server) -> None:
    environment = {**shared_server.environment, "LAKEHOUSE_BIND": ANY}

    serve = run_manage("serve", environment=environment, check=False)
    check = run_manage("check", environment=environment, check=False)

    assert (serve.returncode != 0, "lakehouse.E001" in serve.stderr) == (True, True)
    assert (check.returncode != 0, "lakehouse.E001" in check.stderr) == (True, True)


@pytest.mark.parametrize("bind", ["127.0.0.1:99999", "127.0.0.1:x", "::1:8000", "no-such-host.invalid:80", ":80"])
def test_a_bad_address_is_explained(shared_server: Server, bind: str) -> None:
    said = _refused(shared_server, bind)

    assert "write" in said.lower() or "port" in said


def test_a_port_in_use_is_explained(shared_server: Server) -> None:
    assert "in use" in _refused(shared_server, f"127.0.0.1:{shared_server.port}")


def test_a_database_without_migrations_is_explained(tmp_path: Path) -> None:
    done = run_manage("serve", environment=environment_for(tmp_path, f"sqlite:///{tmp_path}/new.sqlite3"), check=False)

    assert done.returncode != 0
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("bind", ["localhost", "[::1]", "127.0.0.2"])
def test_every_loopback_address_is_served(shared_server: Server, tmp_path: Path, bind: str) -> None:
    if bind == "[::1]":
        with socket.socket(socket.AF_INET6) as probe:
            if probe.connect_ex(("::1", 9)) == 99:  # EADDRNOTAVAIL
                pytest.skip("this machine has no IPv6")
    server = Server(tmp_path, shared_server.database_url)
    run_manage("migrate", "--verbosity", "0", environment=server.environment)
    from tests.processes import start_manage

    server.process = start_manage(
        "serve", "--bind", f"{bind}:{server.port}", environment=server.environment, log_path=server.log_path
    )
    try:
        url = f"http://{bind}:{server.port}/v1/vectors/index"
        headers = {"Host": f"{bind}:{server.port}"} if bind != "127.0.0.2" else {"Host": "127.0.0.1"}
        assert _wait(lambda: httpx.get(url, headers=headers, trust_env=False, verify=NO_TLS).status_code) == 200, (
            server.log()
        )
    finally:
        server.kill()


def _wait(call: Callable[[], int]) -> int:
    deadline = time.monotonic() + 30
    while True:
        try:
            return call()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to_group", [True, False], ids=["group", "main"])
def test_it_ends_cleanly(server: Server, sign: signal.Signals, to_group: bool) -> None:
    process: subprocess.Popen[bytes] | None = server.process
    assert process is not None

    if to_group:  # what a terminal does on Ctrl-C
        os.killpg(process.pid, sign)
    else:
        process.send_signal(sign)

    assert process.wait(30) == 0
    assert "Traceback" not in server.log()
    assert "ERROR" not in server.log()
    assert not is_listening(server.port)


def test_the_worker_does_not_outlive_a_killed_main_process(server: Server) -> None:
    assert server.process is not None
    workers = psutil.Process(server.process.pid).children()
    assert len(workers) == 1

    server.process.kill()
    server.process.wait(30)

    psutil.wait_procs(workers, timeout=30)
    assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
    assert not is_listening(server.port)


def test_a_worker_that_dies_ends_the_server_with_an_error(server: Server) -> None:
    assert server.process is not None
    (worker,) = psutil.Process(server.process.pid).children()

    worker.kill()

    assert server.process.wait(30) != 0
    assert "Traceback" not in server.log()


def test_two_servers_that_start_at_once_share_one_secret_key(make_server: MakeServer, tmp_path: Path) -> None:
    environment = environment_for(tmp_path / "fresh", None)
    code = "import django; django.setup(); from django.conf import settings; print(settings.SECRET_KEY)"
    environment["DJANGO_SETTINGS_MODULE"] = "lakehouse_site.settings"
    root = Path(__file__).resolve().parents[2]
    import sys

    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    keys = {process.communicate(timeout=60)[0] for process in processes}

    assert len(keys) == 1
    assert keys != {""}


def test_a_port_is_free_again_after_an_orderly_end(server: Server) -> None:
    assert server.stop() == 0

    server.start()
    assert httpx.get(server.base_url + "/health", trust_env=False, verify=NO_TLS).status_code == 200
    assert free_port() != server.port
