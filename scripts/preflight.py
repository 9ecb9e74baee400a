"""Name what this machine lacks before pip runs, and check afterwards that what was compiled runs here.

``python3 scripts/preflight.py``                  Python version, venv, C++ compiler, Python headers
``.venv/bin/python scripts/preflight.py --after-install``   hnswlib, tried in a child process

Only the standard library, and only what Python 3.6 understands (no ``from __future__ import annotations``): some
systems still have it as ``python3``, and the message that a newer one is needed must not be a syntax error.
"""

import os
import shlex
import signal
import subprocess
import sys
import sysconfig
import tempfile
from typing import List, NamedTuple, Optional, Sequence

OLDEST = (3, 11)
NEWEST = (3, 13)
HNSWLIB = "hnswlib==0.8.0"
COMPILE_TIMEOUT_SECONDS = 60
PROBE_TIMEOUT_SECONDS = 120

# The standard library header proves that more than a bare C compiler is there; hnswlib needs C++11.
PROGRAM = "#include <vector>\nint main() { std::vector<int> v{1, 2, 3}; auto n = v.size(); return n == 3 ? 0 : 1; }\n"

# Instructions that a processor lacks show up only when distances are computed, so the probe computes some.
PROBE = """
import hnswlib, numpy
vectors = numpy.eye(64, 48, dtype=numpy.float32) + numpy.float32(0.01)
for space in ("l2", "ip", "cosine"):
    index = hnswlib.Index(space=space, dim=48)
    index.init_index(max_elements=64)
    index.add_items(vectors)
    index.knn_query(vectors[:4], k=3)
"""


class Missing(NamedTuple):
    """One thing that is not there, and the command that brings it on each kind of system."""

    what: str
    debian: str
    fedora: str
    macos: str
    note: str = ""

    def __str__(self) -> str:
        lines = [
            "Missing: " + self.what,
            "    Debian, Ubuntu   " + self.debian,
            "    Fedora           " + self.fedora,
            "    macOS            " + self.macos,
        ]
        if self.note:
            lines.append("  " + self.note)
        return "\n".join(lines)


def dotted(version: Sequence[int]) -> str:
    return "{}.{}".format(*version)


def check_version() -> Optional[Missing]:
    running = tuple(sys.version_info[:2])
    if OLDEST <= running <= NEWEST:
        return None
    newest = dotted(NEWEST)
    return Missing(
        what="Python {} to {}. {} is Python {}.".format(dotted(OLDEST), newest, sys.executable, dotted(running)),
        debian="sudo apt-get install python3 python3-venv python3-dev    (Debian 12, Ubuntu 24.04 or later)",
        fedora="sudo dnf install python{0} python{0}-devel".format(newest),
        macos="brew install python@{}".format(newest),
        note="If one is installed under another name: make up PYTHON=python{}".format(newest),
    )


def check_venv() -> Optional[Missing]:
    """Debian splits venv's working half, ensurepip, into a package of its own."""
    try:
        import ensurepip
        import venv

        del ensurepip, venv
    except ImportError as error:
        return Missing(
            what="the module {} of {}.".format(error.name, sys.executable),
            debian="sudo apt-get install python{}-venv".format(dotted(sys.version_info[:2])),
            fedora="sudo dnf install python3",
            macos="brew install python@{}".format(dotted(NEWEST)),
        )
    return None


def check_headers() -> Optional[Missing]:
    """hnswlib comes as source only, and its build includes Python.h."""
    folder = sysconfig.get_path("include") or ""
    header = os.path.join(folder, "Python.h")
    if os.path.isfile(header):
        return None
    version = dotted(sys.version_info[:2])
    return Missing(
        what="the headers of Python {} (no {}).".format(version, header),
        debian="sudo apt-get install python{}-dev".format(version),
        fedora="sudo dnf install python3-devel    (python{}-devel if it is not the system's Python)".format(version),
        macos="brew install python@{0} && make up PYTHON=python{0}".format(dotted(NEWEST)),
    )


def compiles(compiler: Sequence[str]) -> bool:
    """Say whether this compiler turns a C++11 program into a file with the options of hnswlib's build."""
    options = ["-std=c++11"] if sys.platform == "darwin" else ["-std=c++11", "-fopenmp"]
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "probe.cpp"), os.path.join(folder, "probe")
        with open(source, "w") as file:
            file.write(PROGRAM)
        try:
            done = subprocess.run(
                list(compiler) + options + [source, "-o", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=COMPILE_TIMEOUT_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0 and os.path.exists(program)


def check_compiler() -> Optional[Missing]:
    # What the build will take: CXX if set, else what this Python was built with. pip asks nobody else.
    chosen = os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++"
    if compiles(shlex.split(chosen)):
        return None
    note = ""
    for other in ("c++", "g++", "clang++"):
        if compiles([other]):
            note = "{} works here: make up CXX={}".format(other, other)
            break
    return Missing(
        what="a C++ compiler. {!r} does not compile a C++11 program{}.".format(
            chosen, "" if sys.platform == "darwin" else " with -fopenmp"
        ),
        debian="sudo apt-get install g++",
        fedora="sudo dnf install gcc-c++",
        macos="xcode-select --install",
        note=note,
    )


def check_machine() -> List[Missing]:
    wrong_python = check_version()
    # Headers and venv belong to one Python; when it is the wrong one they would send the reader astray.
    checks = [check_compiler] if wrong_python else [check_venv, check_compiler, check_headers]
    found = [wrong_python] + [check() for check in checks]
    return [missing for missing in found if missing is not None]


def check_hnswlib() -> Optional[str]:
    """Try hnswlib in a child process: an instruction this processor lacks would end our own without a word."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=PROBE_TIMEOUT_SECONDS,
    )
    if done.returncode == 0:
        return None
    if done.returncode == -signal.SIGILL:
        reason = "hnswlib was compiled for another processor: it uses instructions that this one does not have."
    elif done.returncode < 0:
        reason = "hnswlib ends with signal {} on this machine.".format(-done.returncode)
    else:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        reason = "hnswlib cannot be used: {}".format(last[0])
    rebuild = "{} -m pip install --force-reinstall --no-deps --no-cache-dir --no-binary hnswlib {}".format(
        shlex.quote(sys.executable), HNSWLIB
    )
    return (
        "{}\n  Compile it here, for any processor of this kind:\n"
        "    HNSWLIB_NO_NATIVE=1 {}\n"
        "  or faster, for this processor only:\n"
        "    {}"
    ).format(reason, rebuild, rebuild)


def main(arguments: Sequence[str]) -> int:
    if list(arguments) == ["--after-install"]:
        fault = check_hnswlib()
        if fault is None:
            return 0
        print(fault, file=sys.stderr)
        return 1
    if arguments:
        print("usage: preflight.py [--after-install]", file=sys.stderr)
        return 2
    found = check_machine()
    for missing in found:
        print(missing, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
