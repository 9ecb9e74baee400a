"""The export pipeline beside datatrove and datasketch, taking turns on the same generated runs.

Each contender has a process of its own in every round, so that memory is its own; peers are installed by pip into
environments of their own when they are first needed, and one that cannot be is left out with a word.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.data import ROOT
from benchmarks.distillation.generate import write
from benchmarks.environments import Unavailable, python_with

OURS: Final = "this service"
PEERS: Final = {
    "datatrove": ("datatrove[processing]==0.10.1", "spacy>=3.8,<4"),
    "datasketch": ("datasketch==2.0.0",),
}
SIZES, QUICK_SIZES = (10_000, 100_000), (5_000,)
ROUNDS, LARGE_ROUNDS, LARGE = 3, 1, 50_000
PEER_SECONDS: Final = 3_600.0
WORDS: Final = ("tokenisation", "decontamination", "near_duplicates")

Figures = dict[str, float]


@dataclass(slots=True)
class Result:
    """Figures of one number of lines: contender → those of each round."""

    lines: int
    rounds: dict[str, list[Figures]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.distillation.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5,000 lines once: a minute, and more noise")
    parser.add_argument("--lines", type=int, action="append", help="how many; may be given several times")
    parser.add_argument("--rounds", type=int, help=f"default: {ROUNDS}, from {LARGE:,} lines on {LARGE_ROUNDS}")
    parser.add_argument("--peers", default=",".join(PEERS), help="some of them, or nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    options = parser.parse_args(arguments)
    unknown = {name for name in options.peers.split(",") if name} - PEERS.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(PEERS)}")
    if min([1 if options.rounds is None else options.rounds, *(options.lines or [1])]) < 1:
        parser.error("lines and rounds are numbers from 1")
    return options


def measure(command: Sequence[str | Path], folder: Path) -> Figures:
    """Run a contender and return what it prints last.

    Raises
    ------
    Unavailable
        It ends with an error, or not in time.
    """
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "lakehouse_site.settings",
        "LAKEHOUSE_DATA_DIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    try:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=PEER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"took more than {PEER_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise Unavailable(f"ended with: {done.stderr.strip().splitlines()[-1][:200] if done.stderr else 'an error'}")
    found: Figures = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def ours(root: Path, folder: Path) -> Figures:
    """Measure each part of the service in a process of its own, its data in a new folder."""
    figures: Figures = {}
    for part in ("parse", "words", "whole"):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            command = (sys.executable, "-m", "benchmarks.distillation.own", root, part)
            found = measure(command, Path(own))
        figures |= {name: value for name, value in found.items() if name != "peak_mb"} | {
            f"peak_mb_{part}": found["peak_mb"]
        }
    figures["peak_mb"] = figures["peak_mb_whole"]
    figures["whole"] = figures["ingest"] + figures["export"]
    return figures


def compare(lines: int, rounds: int, peers: Sequence[str], folder: Path) -> Result:
    """Let everybody have a turn in each round."""
    root = folder / f"runs-{lines}"
    write(root, lines)
    result = Result(lines)
    pythons = {}
    for name in peers:
        try:
            pythons[name] = python_with(name, PEERS[name])
        except Unavailable as error:
            result.notes.append(f"{name} is left out: {error}.")
    for turn in range(rounds):
        print(f"{lines:,} lines, round {turn + 1} of {rounds} ...", file=sys.stderr, flush=True)
        result.rounds.setdefault(OURS, []).append(ours(root, folder))
        for name, python in list(pythons.items()):
            script = Path(__file__).parent / f"peer_{name}.py"
            try:
                figures = measure((python, script, root, folder / f"{name}.jsonl"), folder)
            except Unavailable as error:
                result.notes.append(f"{name} is left out: it {error}.")
                del pythons[name]
                continue
            result.rounds.setdefault(name, []).append(figures)
    return result


def markdown(results: Sequence[Result]) -> str:
    """Return a table for each number of lines: medians, and each peer's as a multiple of ours."""
    parts = [f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"]
    for result in results:
        medians = {name: _medians(rounds) for name, rounds in result.rounds.items()}
        names = list(medians)
        parts += ["", f"### {result.lines:,} lines, median of {len(result.rounds[OURS])}", ""]
        parts += ["| lines or documents a second | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
        for title, key in (
            ("parse and validate (peers: parse), lines/s", "parse_rate"),
            ("ingest into the database, lines/s", "ingest_rate"),
            ("near duplicates, documents/s", "near_rate"),
            ("decontamination, documents/s", "decontamination_rate"),
            ("both with tokenisation, documents/s", "words_rate"),
            ("the pipeline in memory, lines/s", "pipeline_rate"),
            ("files in to files out, lines/s", "whole_rate"),
        ):
            cells = [_cell(medians[name].get(key), medians[OURS].get(key), name) for name in names]
            parts.append(f"| {title} | " + " | ".join(cells) + " |")
        memory = [f"{medians[name]['peak_mb']:,.0f} MB" for name in names]
        parts += ["| peak memory, files in to files out | " + " | ".join(memory) + " |"]
        kept = [f"{medians[name]['kept']:,.0f}" for name in names]
        parts += ["| rows written | " + " | ".join(kept) + " |"]
        parts += [f"\n{note}" for note in result.notes]
    parts += [
        "",
        "Files in to files out: ours goes through the database, takes out leaks, secrets, duplicates and superseded",
        "attempts, splits, writes and reads all files back; peers parse, take out contaminated rows and near",
        "duplicates, and write. datatrove cuts the text into words anew in each of its two steps.",
    ]
    return "\n".join(parts) + "\n"


def _medians(rounds: Sequence[Figures]) -> Figures:
    found = {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}
    lines = statistics.median(figures.get("lines", 0) for figures in rounds)
    words = sum(found[name] for name in WORDS)
    rates = {
        "near_rate": (found["documents"], found["near_duplicates"]),
        "decontamination_rate": (found["documents"], found["decontamination"]),
        "words_rate": (found["documents"], words),
        "parse_rate": (lines, found["parse"]),
        "ingest_rate": (lines, found.get("ingest", 0.0)),
        "pipeline_rate": (lines, found.get("pipeline", 0.0)),
        "whole_rate": (lines, found["whole"]),
    }
    return found | {name: count / seconds for name, (count, seconds) in rates.items() if seconds}


def _cell(value: float | None, own: float | None, name: str) -> str:
    if value is None:
        return "–"
    times = f" ({value / own:.2g} ×)" if own and name != OURS else ""
    return f"{value:,.0f}{times}"


def main() -> None:
    options = parse()
    sizes = options.lines or (QUICK_SIZES if options.quick else SIZES)
    peers = [name for name in PEERS if name in options.peers.split(",")]
    results = []
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-", ignore_cleanup_errors=True) as folder:
        for lines in sizes:
            rounds = options.rounds or (1 if options.quick else LARGE_ROUNDS if lines >= LARGE else ROUNDS)
            results.append(compare(lines, rounds, peers, Path(folder)))
    print(markdown(results))
    if options.json is not None:
        every = [{"lines": result.lines, "rounds": result.rounds, "notes": result.notes} for result in results]
        options.json.write_text(json.dumps(every, indent=2) + "\n")


if __name__ == "__main__":
    main()
