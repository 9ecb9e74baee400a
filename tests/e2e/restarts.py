"""What tests of restarts and of several processes share: an index with a graph, its answers, and waiting."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import processes
from tests.factories import random_rows
from tests.processes import ROOT, Server

MIN_ITEMS = 50
ITEMS = 400
DATA = random_rows(ITEMS, 8)
QUERIES = random_rows(20, 8, seed=5)
WAIT_SECONDS = 60.0
INDEX = "/v1/vectors/index/docs"

MakeHttp = Callable[[Server], httpx.Client]


def use(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Let servers be started through a module that stands in for `manage.py`."""

    def start(*arguments: str, environment: dict[str, str], log_path: Path) -> subprocess.Popen[bytes]:
        with log_path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, str(MIN_ITEMS), *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    monkeypatch.setattr(processes, "start_manage", start)


def run_quick(server: Server, *arguments: str, **environment: str) -> str:
    """Run a management command for which everything is due at once, and graphs are small."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.quick_upkeep", str(MIN_ITEMS), *arguments],
        cwd=ROOT,
        env=server.environment | environment,
        capture_output=True,
        text=True,
        timeout=processes.COMMAND_TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fill(client: httpx.Client, count: int = ITEMS) -> None:
    made = client.post("/v1/vectors/index", json={"name": "docs", "dimension": 8, "distance": "euclidean"})
    assert made.status_code == 201, made.text
    add(client, DATA[:count])


def add(client: httpx.Client, rows: Any, prefix: str = "i") -> None:
    items = [{"id": f"{prefix}{i:04d}", "vector": row.tolist(), "metadata": {"n": i}} for i, row in enumerate(rows)]
    assert client.post(f"{INDEX}/add", json={"items": items}).status_code == 200


def answers(client: httpx.Client, *, exact: bool = False) -> list[Any]:
    """Return ids, distances and metadata of the nearest ten to each query."""
    found = client.post(f"{INDEX}/search", json={"vectors": QUERIES.tolist(), "k": 10, "exact": exact})
    assert found.status_code == 200, found.text
    results: list[Any] = found.json()["results"]
    return results


def uses_graph(client: httpx.Client) -> bool:
    found = client.post(f"{INDEX}/search", json={"vector": QUERIES[0].tolist()})
    return found.json()["exact"] is False


def snapshot(client: httpx.Client) -> dict[str, Any]:
    wait_for(lambda: uses_graph(client))
    made = client.post(f"{INDEX}/snapshot")
    assert made.status_code == 200, made.text
    told: dict[str, Any] = made.json()
    return told


def info(client: httpx.Client) -> dict[str, Any]:
    told: dict[str, Any] = client.get(INDEX).json()
    return told


def loads(client: httpx.Client, source: str) -> float:
    name = f'lakehouse_vectors_graph_loads_total{{source="{source}"}} '
    (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return float(line.split()[-1])


def objects(server: Server) -> list[Path]:
    return sorted((server.data_dir / "objects").rglob("*.lhv1"))


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {WAIT_SECONDS:.0f} s"
        time.sleep(0.05)
