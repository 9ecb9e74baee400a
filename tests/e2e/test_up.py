"""`manage.py up` as a newcomer meets it: a real process on an empty data directory."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.ports import free_port
from tests.processes import NO_TLS, ROOT, Server, end_group, environment_for, run_manage, start_manage

DEMO = "debian-packages"
WAIT_SECONDS = 60


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} in {WAIT_SECONDS} s")
        time.sleep(0.02)


@pytest.fixture
def environment(data_dir: Path, empty_database: str | None) -> dict[str, str]:
    return environment_for(data_dir, empty_database)


@pytest.fixture
def migrated(idle_server: Server) -> dict[str, str]:
    """The environment of commands on a database that is migrated, and empty."""
    return idle_server.environment


@pytest.fixture
def start_up(
    environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], Path]]]:
    """Start `up` with these arguments; what is left of it ends with the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[bytes], Path]:
        log = tmp_path / f"up-{len(processes)}.log"
        processes.append(start_manage("up", *arguments, environment=environment, log_path=log))
        return processes[-1], log

    yield start
    for process in processes:
        end_group(process, signal.SIGKILL)


def counts(environment: dict[str, str]) -> dict[str, int]:
    listed = json.loads(run_manage("index_list", "--json", environment=environment).stdout)
    return {index["name"]: index["count"] for index in listed}


def test_the_demo_is_there_after_the_first_run_and_the_second_changes_nothing(environment: dict[str, str]) -> None:
    first = run_manage("up", "--no-serve", environment=environment)
    second = run_manage("up", "--no-serve", environment=environment)

    assert re.search(rf"{DEMO}\s+2,000 items\s+384 numbers\s+cosine", first.stdout)
    assert second.stdout.lstrip().startswith("Lakehouse: ")
    assert counts(environment) == {DEMO: 2_000}


def test_a_deleted_demo_does_not_come_back(environment: dict[str, str]) -> None:
    run_manage("up", "--no-serve", environment=environment)
    code = f"from vectors import indexes; indexes.drop_index(name='{DEMO}')"
    run_manage("shell", "--no-imports", "-c", code, environment=environment)

    done = run_manage("up", "--no-serve", environment=environment)

    assert counts(environment) == {}
    assert "No index yet." in done.stdout


def test_a_load_that_was_interrupted_is_finished_by_the_next_start(migrated: dict[str, str]) -> None:
    run_manage("index_create", DEMO, "--dimension", "384", "--distance", "cosine", environment=migrated)

    run_manage("up", "--no-serve", environment=migrated)

    assert counts(migrated) == {DEMO: 2_000}


@pytest.mark.slow
def test_a_load_that_was_killed_is_finished_by_the_next_start(
    environment: dict[str, str], data_dir: Path, start_up: Callable[..., tuple[subprocess.Popen[bytes], Path]]
) -> None:
    process, log = start_up("--no-serve")
    # The kill comes as soon as the index is there, wherever the import is by then.
    wait_for(lambda: process.poll() is not None or DEMO in log.read_text(), "index")
    end_group(process, signal.SIGKILL)

    run_manage("up", "--no-serve", environment=environment)

    assert counts(environment) == {DEMO: 2_000}
    assert (data_dir / "demo-loaded").exists()


def test_an_index_of_the_user_with_the_demos_name_is_left_alone(migrated: dict[str, str]) -> None:
    run_manage("index_create", DEMO, "--dimension", "3", environment=migrated)

    done = run_manage("up", "--no-serve", environment=migrated)

    assert counts(migrated) == {DEMO: 0}
    assert "the demo is left out" in done.stdout


def test_a_bind_that_is_none_is_refused_before_anything_happens(environment: dict[str, str], data_dir: Path) -> None:
    done = run_manage("up", "--bind", "127.0.0.1:http", environment=environment, check=False)

    assert done.returncode != 0
    assert "the port must be a number" in done.stderr
    assert not (data_dir / "lakehouse.sqlite3").exists()


def test_the_printed_curl_line_works_and_ctrl_c_ends_the_server_cleanly(
    start_up: Callable[..., tuple[subprocess.Popen[bytes], Path]],
) -> None:
    port = free_port()
    process, log = start_up("--bind", f"127.0.0.1:{port}")
    wait_for(lambda: process.poll() is not None or _is_healthy(port), "healthy server")

    answer = call_as_printed(log.read_text())
    end_group(process, signal.SIGINT)

    assert len(answer["results"]) == 5
    assert answer["results"][0]["id"] == "libalgorithm-diff-perl"
    assert process.returncode == 0
    assert "Traceback" not in log.read_text()


def call_as_printed(text: str) -> dict[str, Any]:
    """Do what the printed curl line says; curl itself is not among the things a machine must have."""
    printed = re.search(r"curl (?:.|\n)*?/search", text)
    assert printed is not None, text
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true", required=True)
    parser.add_argument("-H", dest="headers", action="append", type=lambda line: tuple(line.split(": ", 1)))
    parser.add_argument("-d", dest="body", required=True)
    parser.add_argument("url")
    # A shell joins lines at a backslash, shlex does not.
    call = parser.parse_args(shlex.split(printed[0].replace("\\\n", ""))[1:])
    answer = httpx.post(call.url, headers=call.headers, content=call.body, timeout=30, trust_env=False, verify=NO_TLS)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _is_healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False, verify=NO_TLS).status_code == 200
    except httpx.TransportError:
        return False


def test_the_demo_files_are_what_their_description_says() -> None:
    folder = ROOT / "demo" / "debian_packages"
    vectors = np.load(folder / "vectors.npy")
    items = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]

    assert (vectors.shape, vectors.dtype) == ((2_000, 384), np.float16)
    assert len({item["id"] for item in items}) == 2_000
    assert np.load(folder / "queries.npy").shape == (200, 384)
    assert len((folder / "queries.jsonl").read_text().splitlines()) == 200
