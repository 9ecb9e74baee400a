"""A server and a second process change the same database in turn; either must see all of it at once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import seed as with_seed
from hypothesis.stateful import run_state_machine_as_test

from tests import processes
from tests.conftest import MakeServer
from tests.e2e.machine import IndexMachine, machine_settings
from tests.e2e.model import Call
from tests.processes import ROOT, Server

SMALL_GRAPH_ITEMS = 8
STOP_SECONDS = 30
PATHS = {
    "create": ("POST", "/v1/vectors/index"),
    "list": ("GET", "/v1/vectors/index?limit=1000"),
    "drop": ("DELETE", "/v1/vectors/index/{}"),
    "items": ("GET", "/v1/vectors/index/{}/items"),
    "patch": ("PATCH", "/v1/vectors/index/{}/items"),
}


def http_call(client: httpx.Client) -> Call:
    """Return the function that makes calls over HTTP."""

    def call(command: str, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        method, path = PATHS.get(command, ("POST", f"/v1/vectors/index/{{}}/{command}"))
        if command == "create":
            body = {"name": name, **body}
        if command == "items":
            response = client.get(path.format(name), params={**body, "include": "metadata,vector"})
        else:
            response = client.request(method, path.format(name), json=body if method in ("POST", "PATCH") else None)
        assert response.status_code < 500, response.text
        return response.status_code, response.json() if response.content else None

    return call


@contextmanager
def running_worker(server: Server, *arguments: str) -> Iterator[Call]:
    """Start `worker.py` on the data of a server; it ends with the block."""
    log_path = server.data_dir / "worker.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.worker", *arguments],
            cwd=ROOT,
            env=server.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None

    def read() -> Any:
        line = stdout.readline()
        assert line, "the worker ended:\n" + log_path.read_text()
        return json.loads(line)

    def call(command: str, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        stdin.write(json.dumps({"command": command, "name": name, "body": body}) + "\n")
        stdin.flush()
        status, answer = read()
        return status, answer

    try:
        assert read() == "ready"
        yield call
    finally:
        stdin.close()
        try:
            process.wait(STOP_SECONDS)
        finally:
            process.kill()
            process.wait()
            stdout.close()


def run_machine(calls: list[Call], *, examples: int, steps: int) -> int:
    """Run sequences of steps; return how many of the checks were answered by a graph."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    machines: list[IndexMachine] = []

    def machine() -> IndexMachine:
        machines.append(IndexMachine(calls, f"m{seed}-{len(machines)}-"))
        return machines[-1]

    # Hypothesis takes any function that makes a machine; its annotation says class.
    factory: Any = with_seed(seed)(machine)
    run_state_machine_as_test(factory, settings=machine_settings(examples=examples, steps=steps))
    return sum(machine.graph_answers for machine in machines)


@pytest.mark.parametrize(
    ("examples", "steps"), [(2, 15), pytest.param(4, 25, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_a_server_and_a_worker_agree_with_the_model_after_every_step(
    server: Server, make_http: Callable[[Server], httpx.Client], examples: int, steps: int
) -> None:
    with running_worker(server) as worker:
        run_machine([http_call(make_http(server)), worker], examples=examples, steps=steps)


@pytest.mark.slow
def test_they_agree_as_well_when_graphs_answer(
    make_server: MakeServer, make_http: Callable[[Server], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "start_manage", _start_with_small_graphs)
    server = make_server()
    with running_worker(server, "--graph-min-items", str(SMALL_GRAPH_ITEMS)) as worker:
        graph_answers = run_machine([http_call(make_http(server)), worker], examples=6, steps=30)

    assert graph_answers > 0


def _start_with_small_graphs(*arguments: str, environment: dict[str, str], log_path: Path) -> subprocess.Popen[bytes]:
    """Start a management command whose process has graphs from a few items on."""
    with log_path.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.small_graphs", str(SMALL_GRAPH_ITEMS), *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
