from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.bench import QUICK, Plan
from benchmarks.children import Child, free_port, is_listening, resident_bytes
from benchmarks.contenders.catalogue import CONTENDERS, SERVICE
from benchmarks.environments import Unavailable, python_with
from benchmarks.parts import PARTS
from tests.processes import ROOT

MAX_FUNCTION_LINES = 40


def test_without_options_everybody_takes_part_in_everything() -> None:
    options = run.parse([])

    assert options.only is None
    assert options.contenders == tuple(contender.name for contender in CONTENDERS)
    assert run.plan_of(options) == Plan()


def test_options_change_the_plan() -> None:
    options = run.parse(["--quick", "--only", "search", "--only", "adds", "--rounds", "5", "--recall", "0.98"])

    plan = run.plan_of(options)
    assert options.only == ["search", "adds"]
    assert (plan.rounds, plan.target, plan.real) == (5, 0.98, QUICK.real)


def test_the_service_always_takes_part() -> None:
    assert run.parse(["--contenders", "hnswlib"]).contenders == ("hnswlib", SERVICE)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--only", "nothing"], "invalid choice"),
        (["--contenders", "chroma,nobody"], "unknown: nobody"),
        (["--rounds", "0"], "write a number from 1"),
        (["--recall", "1.1"], "up to 1"),
        (["--recall", "much"], "up to 1"),
    ],
)
def test_a_wrong_option_is_refused_with_the_reason(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.parse(arguments)

    assert reason in capsys.readouterr().err


def test_every_part_of_the_quick_run_exists() -> None:
    assert set(QUICK.parts) <= set(PARTS)


def test_every_contender_has_its_two_halves_and_a_title_of_its_own() -> None:
    for contender in CONTENDERS:
        source = ROOT / "benchmarks" / "contenders" / f"{contender.module}.py"
        functions = {node.name for node in ast.parse(source.read_text()).body if isinstance(node, ast.FunctionDef)}
        assert {"serve", "make"} <= functions
        assert contender.shares in {None, *(other.name for other in CONTENDERS)}
    assert len({contender.title for contender in CONTENDERS}) == len(CONTENDERS)


def test_a_peer_that_cannot_be_installed_is_unavailable_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr("venv.create", lambda folder, **options: _stand_in(folder))

    with pytest.raises(Unavailable, match=r"no-such-peer could not be installed \(ERROR"):
        python_with("peer", ("no-such-peer",), cache=tmp_path)


def _stand_in(folder: Path) -> None:
    """Put this Python where the environment's would be: to make a real one takes seconds."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)


def test_a_child_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    port = free_port()
    serve = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    code = f"import subprocess; subprocess.run({serve!r})"
    child = Child([sys.executable, "-c", code], folder=tmp_path, environment=dict(os.environ), log=tmp_path / "log")
    child.wait_until(lambda: is_listening(port))
    assert (resident_bytes(child.pid) or 1) > 0

    child.stop(signal.SIGTERM)

    # What it has started is not ours to wait for; the kernel ends it a moment after the signal.
    deadline = time.monotonic() + 10
    while is_listening(port) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_listening(port)


@pytest.mark.slow
def test_a_small_run_against_a_real_server_has_tables_and_leaves_nothing_behind(tmp_path: Path) -> None:
    written = tmp_path / "found.json"
    arguments = ["--quick", "--rounds", "1", "--contenders", "hnswlib,service", "--only", "batched"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.run",
            *arguments,
            "--json",
            str(written),
            "--chart",
            str(tmp_path / "c.svg"),
        ],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    rows = json.loads(written.read_text())["tables"]["batched"]["rows"]
    assert set(rows) == {"hnswlib in process", "this service, vector_b64"}
    assert all(cells["queries/s"]["recall"] >= 0.98 for cells in rows.values())
    assert list(tmp_path.glob("lakehouse-bench-*")) == []
    assert (tmp_path / "c.svg").read_text().startswith("<svg")


def test_functions_and_files_are_as_short_as_elsewhere() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in (ROOT / "benchmarks").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]

    assert long == []
    assert [path.name for path in (ROOT / "benchmarks").rglob("*.py") if len(path.read_text().splitlines()) > 300] == []
