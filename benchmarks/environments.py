"""Virtual environments of the peers: made on demand, outside what git tracks, and kept for the next run."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.data import ROOT

CACHE = ROOT / ".venv" / "bench"
INSTALL_SECONDS = 600.0


class Unavailable(Exception):
    """A contender cannot take part; the text says why in plain words."""


def python_with(name: str, packages: tuple[str, ...], *, cache: Path = CACHE) -> Path:
    """Return a Python that has these packages: our own when there are none to install.

    Raises
    ------
    Unavailable
        They cannot be installed here.
    """
    if not packages:
        return Path(sys.executable)
    folder = cache / name
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    wanted = "\n".join(packages)
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {', '.join(packages)} for the comparison ...", file=sys.stderr, flush=True)
    venv.create(folder, with_pip=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", *packages]
    try:
        done = subprocess.run(pip, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"pip took more than {INSTALL_SECONDS:.0f} s for {', '.join(packages)}") from None
    if done.returncode != 0:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip failed")
        raise Unavailable(f"{', '.join(packages)} could not be installed ({reason[:200]})")
    stamp.write_text(wanted)
    return python
