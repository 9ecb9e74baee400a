"""Export and import by commands in processes of their own, also when these are killed."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.conftest import running_server
from tests.factories import random_rows
from tests.processes import Server, end_group, start_manage

pytestmark = pytest.mark.slow

ITEMS, DIMENSION = 6_000, 128
WAIT_SECONDS = 60

MakeHttp = Callable[[Server], httpx.Client]


def fill(server: Server, folder: Path) -> None:
    """Make the index `docs` from a matrix."""
    np.save(folder / "vectors.npy", random_rows(ITEMS, DIMENSION))
    lines = (json.dumps({"id": f"ü{i}", "metadata": {"n": 10**30 + i}}) + "\n" for i in range(ITEMS))
    (folder / "items.jsonl").write_text("".join(lines))
    server.manage("index_create", "docs", "--dimension", str(DIMENSION))
    server.manage("index_import", "docs", str(folder / "vectors.npy"), "--items", str(folder / "items.jsonl"))


@pytest.fixture(scope="module")
def old(migrated_template: tuple[Path, str | None], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the index `docs`, which no test changes."""
    with running_server(migrated_template, tmp_path_factory.mktemp("old"), {}) as server:
        fill(server, tmp_path_factory.mktemp("files"))
        yield server


def items_in(client: httpx.Client, index: str = "docs") -> dict[str, Any]:
    found: dict[str, Any] = {}
    url = f"/v1/vectors/index/{index}/items?limit=3000&include=metadata,vector"
    cursor: str | None = ""
    while cursor is not None:
        answer = client.get(url + (f"&cursor={cursor}" if cursor else "")).json()
        found |= {item["id"]: (item["metadata"], item["vector"]) for item in answer["items"]}
        cursor = answer["next"]
    return found


def searches(client: httpx.Client, index: str = "docs") -> Any:
    body = {"vectors": random_rows(5, DIMENSION, seed=9).tolist(), "k": 20, "exact": True}
    answer = client.post(f"/v1/vectors/index/{index}/search", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def kill_when(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> int:
    """Kill the process as soon as the condition holds; return its exit status."""
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while not condition() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    finally:
        end_group(process, signal.SIGKILL)
    return process.returncode


@pytest.mark.parametrize("kind", ["lhv1", "jsonl", "parquet"])
def test_a_backup_moves_an_index_to_another_server(
    old: Server, shared_server: Server, index_name: str, make_http: MakeHttp, tmp_path: Path, kind: str
) -> None:
    new = shared_server
    file = tmp_path / f"docs.{kind}"

    exported = json.loads(old.manage("index_export", "docs", str(file), "--json").stdout)
    if kind != "lhv1":
        new.manage("index_create", index_name, "--dimension", str(DIMENSION))
    imported = json.loads(new.manage("index_import", index_name, str(file), "--json").stdout)
    again = old.manage("index_export", "docs", str(file), check=False)

    size = file.stat().st_size
    assert exported == {"index": "docs", "file": str(file), "items": ITEMS, "seq": ITEMS, "bytes": size}
    assert imported == {"index": index_name, "read": ITEMS, "added": ITEMS, "updated": 0, "count": ITEMS}
    assert (again.returncode, "--force" in again.stderr, file.stat().st_size) == (1, True, size)
    before, after = make_http(old), make_http(new)
    assert items_in(after, index_name) == items_in(before)
    assert searches(after, index_name) == searches(before)


@pytest.mark.parametrize("kind", ["lhv1", "jsonl", "parquet"])
def test_a_killed_export_leaves_no_file_and_is_run_again(old: Server, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    file, part = folder / f"docs.{kind}", folder / f".docs.{kind}.part"
    for _ in range(3):
        process = start_manage(
            "index_export", "docs", str(file), environment=old.environment, log_path=tmp_path / "export.log"
        )
        status = kill_when(lambda: part.exists() and part.stat().st_size > 0, process)

        assert status == -signal.SIGKILL, (tmp_path / "export.log").read_text()
        assert {path.name for path in folder.iterdir()} == {part.name}

    result = json.loads(old.manage("index_export", "docs", str(file), "--json").stdout)

    assert result["items"] == ITEMS
    assert [path.name for path in folder.iterdir()] == [file.name]


def test_a_killed_import_ends_well_when_it_is_run_again(
    old: Server, shared_server: Server, index_name: str, make_http: MakeHttp, tmp_path: Path
) -> None:
    new = shared_server
    file = tmp_path / "docs.lhv1"
    old.manage("index_export", "docs", str(file))
    client = make_http(new)
    arguments = ("index_import", index_name, str(file), "--batch", "20")

    def count() -> int:
        answer = client.get(f"/v1/vectors/index/{index_name}")
        return int(answer.json()["count"]) if answer.status_code == 200 else -1

    for share in (0.0, 0.3):
        process = start_manage(*arguments, environment=new.environment, log_path=tmp_path / "import.log")
        status = kill_when(lambda least=share * ITEMS: count() > least, process)  # type: ignore[misc]
        assert status == -signal.SIGKILL, (tmp_path / "import.log").read_text()
        assert 0 < count() < ITEMS
        assert count() % 20 == 0

    result = json.loads(new.manage(*arguments, "--json").stdout)

    assert (result["read"], result["count"]) == (ITEMS, ITEMS)
    assert items_in(client, index_name) == items_in(make_http(old))
