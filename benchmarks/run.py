"""The benchmark: this service beside hnswlib, a bare view and its peers, taking turns in one run.

Peers are installed by pip into environments of their own when they are first needed; one that cannot be is left out
with a word. Everything runs on this machine, on the loopback address, in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from benchmarks import data as data_sets
from benchmarks.bench import QUICK, Bench, Plan
from benchmarks.chart import chart
from benchmarks.contenders.catalogue import CONTENDERS, SERVICE
from benchmarks.figures import Results
from benchmarks.parts import PARTS
from benchmarks.report import as_json, markdown
from benchmarks.teams import Stored, assemble

NAMES = tuple(contender.name for contender in CONTENDERS)
REAL_COUNT = 20_000
SEEDED_DIMENSION = 768
INTERRUPTED = "The run was interrupted: what stands here is not all."


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes: small data, short loads, more noise")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be given several times")
    parser.add_argument("--contenders", type=_names, default=NAMES, help=f"some of {','.join(NAMES)}")
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="vectors.npy, items.jsonl, queries.npy; else the demo's"
    )
    parser.add_argument("--rounds", type=_at_least_one, help="how often everybody has a turn (default: 3)")
    parser.add_argument("--recall", type=_share, help="what recall@10 all are compared at, at least (default: 0.99)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="write the main figures there as SVG")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    return parser.parse_args(arguments)


def _names(text: str) -> tuple[str, ...]:
    unknown = set(text.split(",")) - set(NAMES)
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(NAMES)}")
    # Without the service there is nothing to compare with.
    return tuple(name for name in NAMES if name == SERVICE or name in text.split(","))


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("write a number from 1")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("write a number above 0, up to 1")
    return value


def plan_of(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else Plan()
    if options.rounds is not None:
        plan = replace(plan, rounds=options.rounds)
    return plan if options.recall is None else replace(plan, target=options.recall)


def run(options: argparse.Namespace) -> Results:
    """Measure all that was asked for; everything started is ended on the way out, also on Ctrl-C."""
    plan = plan_of(options)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="lakehouse-bench-", ignore_cleanup_errors=True) as name,
        ExitStack() as stack,
    ):
        folder = Path(name)
        both = zip(("real", "seeded"), _data(options.data, plan), strict=True)
        real, seeded = (Stored(data, data_sets.save(data, folder / kind)) for kind, data in both)
        teams, missing = assemble(options.contenders, folder, stack)
        if SERVICE not in teams:
            raise SystemExit("The service did not start: " + "; ".join(missing))
        bench = Bench(plan, folder, teams, real, seeded)
        for team in teams.values():
            team.settle_step = plan.settle_step
        bench.results.notes += missing
        bench.results.facts |= _facts(bench)
        try:
            for part in options.only or plan.parts or PARTS:
                bench.say(f"{part} ...")
                PARTS[part](bench)
        except KeyboardInterrupt:
            bench.results.note(INTERRUPTED)
        bench.results.facts["took"] = f"{time.monotonic() - started:.0f} s"
        return bench.results


def _data(folder: Path | None, plan: Plan) -> tuple[data_sets.Data, data_sets.Data]:
    # The demo's are few: to be worth a graph they are repeated, each copy a little off.
    count = plan.real or (REAL_COUNT if folder is None else None)
    real = data_sets.load(folder or data_sets.DEMO, count)
    both = real, data_sets.seeded(plan.seeded, SEEDED_DIMENSION)
    return both[0].asked(plan.queries), both[1].asked(plan.queries)


def _facts(bench: Bench) -> dict[str, str]:
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "Python": platform.python_version(),
        "real data": f"{bench.real.data.title}, {bench.real.data.dimension} numbers each",
        "seeded data": bench.seeded.data.title,
        "rounds": f"{bench.plan.rounds}, loads of {bench.plan.seconds} s",
        "recall@10 compared at": f"at least {bench.plan.target}",
        "clients": "processes over loopback with one connection each; threads where a library runs in process",
        "the service": f"SQLite, synchronous=FULL, granian {version('granian')} with 4 threads, defaults throughout",
        **{team.title: team.release for team in bench.teams.values() if not team.title.startswith("this service")},
    }


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    options = parse()
    signal.signal(signal.SIGTERM, _interrupt)
    results = run(options)
    text = markdown(results)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text)
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(results), indent=2) + "\n")
    if options.chart is not None:
        options.chart.write_text(chart(results))
    if INTERRUPTED in results.notes:
        raise SystemExit(130)


if __name__ == "__main__":
    main()
