"""scripts/preflight.py, run as a process in surroundings that lack one thing or another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT

PREFLIGHT = ROOT / "scripts" / "preflight.py"
TIMEOUT_SECONDS = 60
SYSTEMS = ("Debian, Ubuntu", "Fedora", "macOS")
WITHOUT_HEADERS = "import sysconfig; sysconfig.get_path = lambda name: '/nowhere/include'"


def run_preflight(
    *arguments: str, before: str = "", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the script in a child; `before` is executed there first, to take something away."""
    code = (
        f"{before}\nimport runpy, sys\nsys.argv = {[str(PREFLIGHT), *arguments]!r}\n"
        f"runpy.run_path({str(PREFLIGHT)!r}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env=dict(os.environ) | (environment or {}),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def make_compiler(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


# Only what the shell itself can do: the tests' PATH has nothing else.
WORKING_COMPILER = 'while [ "$1" != "-o" ]; do shift; done; : > "$2"'


def test_a_machine_that_runs_this_suite_lacks_nothing() -> None:
    done = run_preflight()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("version", [(3, 6), (3, 10), (3, 14), (4, 0)])
def test_a_python_out_of_range_is_named_with_its_version_and_the_range(version: tuple[int, int]) -> None:
    done = run_preflight(before=f"import sys; sys.version_info = {(*version, 0, 'final', 0)}")

    assert done.returncode == 1
    assert f"Python 3.11 to 3.13. {sys.executable} is Python {version[0]}.{version[1]}." in done.stderr
    assert all(system in done.stderr for system in SYSTEMS)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_every_supported_python_is_accepted(version: tuple[int, int]) -> None:
    done = run_preflight(before=f"import sys; sys.version_info = {(*version, 0, 'final', 0)}")

    # The headers of the pretended version need not be here.
    assert "Python 3.11 to 3.13" not in done.stderr


def test_a_path_without_compiler_is_answered_with_the_commands_that_install_one(tmp_path: Path) -> None:
    done = run_preflight(environment={"PATH": str(tmp_path), "CXX": "g++"})

    assert done.returncode == 1
    assert "Missing: a C++ compiler. 'g++'" in done.stderr
    assert "sudo apt-get install g++" in done.stderr
    assert "sudo dnf install gcc-c++" in done.stderr
    assert "xcode-select --install" in done.stderr


@pytest.mark.parametrize("body", ["exit 1", "exit 0"], ids=["fails", "makes no program"])
def test_a_compiler_that_is_there_but_compiles_nothing_counts_as_missing(tmp_path: Path, body: str) -> None:
    compiler = make_compiler(tmp_path / "bin", "g++", body)

    done = run_preflight(environment={"PATH": str(compiler.parent), "CXX": "g++"})

    assert done.returncode == 1
    assert "a C++ compiler" in done.stderr


def test_a_compiler_named_by_cxx_with_options_is_taken(tmp_path: Path) -> None:
    compiler = make_compiler(tmp_path / "bin", "my-compiler", WORKING_COMPILER)

    done = run_preflight(environment={"PATH": "/nowhere", "CXX": f"{compiler} --target=here"})

    assert done.returncode == 0, done.stderr


def test_a_working_compiler_the_build_would_not_take_is_pointed_out(tmp_path: Path) -> None:
    folder = make_compiler(tmp_path / "bin", "clang++", WORKING_COMPILER).parent

    done = run_preflight(environment={"PATH": str(folder), "CXX": "g++"})

    assert done.returncode == 1
    assert "clang++ works here: make up CXX=clang++" in done.stderr


def test_missing_headers_are_named_with_the_place_looked_at() -> None:
    done = run_preflight(before=WITHOUT_HEADERS)

    assert done.returncode == 1
    assert "/nowhere/include/Python.h" in done.stderr
    assert re.search(r"apt-get install python3\.\d+-dev", done.stderr)


def test_missing_ensurepip_is_named_with_debians_package() -> None:
    done = run_preflight(before="import sys; sys.modules['ensurepip'] = None")

    assert done.returncode == 1
    assert "the module ensurepip" in done.stderr
    assert re.search(r"apt-get install python3\.\d+-venv", done.stderr)


def test_everything_missing_is_named_at_once(tmp_path: Path) -> None:
    done = run_preflight(
        before=WITHOUT_HEADERS + "; import sys; sys.modules['ensurepip'] = None",
        environment={"PATH": str(tmp_path), "CXX": "g++"},
    )

    assert done.returncode == 1
    assert done.stderr.count("Missing: ") == 3


def test_the_oldest_syntax_it_promises_is_all_it_uses() -> None:
    code = f"import ast; ast.parse(open({str(PREFLIGHT)!r}).read(), feature_version=(3, 6))"

    subprocess.run([sys.executable, "-c", code], check=True, timeout=TIMEOUT_SECONDS)
    assert "from __future__ import annotations\n" not in PREFLIGHT.read_text()


def test_the_installed_hnswlib_is_accepted() -> None:
    done = run_preflight("--after-install")

    assert (done.returncode, done.stderr) == (0, "")


def test_a_build_for_another_processor_is_explained_and_does_not_end_the_check(tmp_path: Path) -> None:
    (tmp_path / "hnswlib.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")

    done = run_preflight("--after-install", environment={"PYTHONPATH": str(tmp_path)})

    assert done.returncode == 1
    assert "compiled for another processor" in done.stderr
    assert "HNSWLIB_NO_NATIVE=1" in done.stderr
    assert "--no-binary hnswlib" in done.stderr


def test_an_hnswlib_that_cannot_be_imported_is_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "hnswlib.py").write_text("raise ImportError('libgomp.so.1 is not there')\n")

    done = run_preflight("--after-install", environment={"PYTHONPATH": str(tmp_path)})

    assert done.returncode == 1
    assert "libgomp.so.1 is not there" in done.stderr


def test_the_version_to_rebuild_is_the_one_the_lock_pins() -> None:
    pinned = re.search(r"^hnswlib==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)

    assert pinned is not None
    assert f'HNSWLIB = "{pinned[0]}"' in PREFLIGHT.read_text()


def test_an_unknown_argument_is_refused() -> None:
    assert run_preflight("--nonsense").returncode == 2
