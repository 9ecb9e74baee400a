"""100 columns of 10,000, 100,000 and 1,000,000 values: time, memory and import of each contender, taking turns."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data import ROOT
from benchmarks.environments import Unavailable, python_with

PACKAGES: dict[str, tuple[str, ...]] = {"frouros": ("frouros==0.9.0",), "evidently": ("evidently==0.7.23", "pandas<3")}
CONTENDERS = (
    "lakehouse, PSI and p",
    "lakehouse, everything",
    "numpy histogram",
    "plain scipy",
    "frouros",
    "evidently",
)
SIZES = (10_000, 100_000, 1_000_000)
COLUMNS = 100
# One process measures as many columns as these many values need, and the time of one is multiplied: they are alike.
QUICK_VALUES = 3_000_000
TIMEOUT_SECONDS = 1_800
BASE = "lakehouse, PSI and p"


@dataclass(frozen=True)
class Figures:
    """What one contender needed for one size; `note` says why it did not take part."""

    name: str
    values: int
    import_s: float = 0.0
    column_ms: float = 0.0
    extra_mib: float = 0.0
    resident_mib: float = 0.0
    note: str = ""


def measure(name: str, values: int, columns: int) -> Figures:
    """Run one contender in a process of its own."""
    try:
        python = python_with(name, PACKAGES.get(name, ()))
    except Unavailable as error:
        return Figures(name, values, note=str(error))
    command = [str(python), str(Path(__file__).parent / "worker.py"), name, str(columns), str(values)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return Figures(name, values, note=f"took more than {TIMEOUT_SECONDS} s")
    if done.returncode != 0:
        return Figures(name, values, note=(done.stderr.strip().splitlines() or ["failed"])[-1][:200])
    return Figures(name, values, **json.loads(done.stdout.splitlines()[-1]))


def table(found: Sequence[Figures]) -> list[str]:
    """Return the figures as Markdown; the ratio is to this service's PSI and p."""
    lines = [
        "| values | contender | 100 columns, s | ratio | extra memory, MiB | memory, MiB | import, s |",
        "|---:|---|---:|---:|---:|---:|---:|",
    ]
    base = {one.values: one.column_ms for one in found if one.name == BASE and not one.note}
    for one in found:
        if one.note:
            lines.append(f"| {one.values:,} | {one.name} | left out: {one.note} | | | | |")
            continue
        ratio = f"{one.column_ms / base[one.values]:.1f}" if base.get(one.values) else ""
        seconds = one.column_ms * COLUMNS / 1000
        memory = f"{one.extra_mib:.0f} | {one.resident_mib:.0f}"
        lines.append(f"| {one.values:,} | {one.name} | {seconds:.2f} | {ratio} | {memory} | {one.import_s:.2f} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer columns where one takes long; a minute or two")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    options = parser.parse_args(arguments)
    found = []
    for values in options.sizes:
        columns = max(3, min(COLUMNS, QUICK_VALUES // values)) if options.quick else COLUMNS
        for name in options.contenders:
            found.append(measure(name, values, columns))
            print(f"{name}, {values:,} values: done", file=sys.stderr, flush=True)
    print("\n".join(table(found)))
    if options.json:
        options.json.write_text(json.dumps([one.__dict__ for one in found], indent=1))


if __name__ == "__main__":
    main()
