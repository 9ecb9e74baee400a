"""All scenarios on both databases and both storages, and one table of figures: ``python -m tests.chaos --help``."""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import backup, damaged, kills, pair, points, storage_faults
from tests.chaos.result import Result, table
from tests.chaos.world import Database, Grounds, Storage, World
from tests.postgres import run_postgres
from tests.s3 import run_rclone

DATABASES: tuple[Database, ...] = ("sqlite", "postgres")
STORAGES: tuple[Storage, ...] = ("local", "s3")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario, and how many rounds it has unless told."""

    run: Callable[[World, int, int], Result]
    rounds: int


SCENARIOS = {  # those that can be cut short come last
    "damage": Scenario(damaged.run_damages, 1),
    "storage": Scenario(storage_faults.run_storage_faults, 1),
    "backup": Scenario(backup.run_backup, 1),
    "kill": Scenario(kills.run_kills, 8),
    "pair": Scenario(pair.run_pair, 4),
    "points": Scenario(points.run_points, 1),
}
LAST_ROUND_SECONDS = 30


def main() -> None:
    options = _parse()
    seed = options.seed if options.seed is not None else random.randrange(2**32)
    _say(f"seed {seed}")
    names = options.only or list(SCENARIOS)
    jobs = list(itertools.product(names, options.database or DATABASES, options.storage or STORAGES))
    started = time.monotonic()
    with _grounds() as grounds, ThreadPoolExecutor(options.jobs) as pool:
        deadline = started + 60 * options.minutes - LAST_ROUND_SECONDS
        worlds = [(name, World(grounds, database, storage, deadline)) for name, database, storage in jobs]
        try:
            results = list(pool.map(lambda job: _run(job[0], job[1], options.rounds, seed), worlds))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)  # those that run end in order, no other begins
            raise SystemExit(130) from None
    sys.stdout.write(table(results) + f"\n{time.monotonic() - started:.0f} s, seed {seed}\n")
    for result in results:
        for trouble in result.troubles[:10]:
            sys.stdout.write(f"{result.scenario}, {result.database}, {result.storage}: {trouble}\n")
    if options.json is not None:
        facts = {"seed": seed, "results": [result.facts() for result in results]}
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    if not all(result.is_clean for result in results):
        raise SystemExit(1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, help="of each scenario; each has a number of its own")
    parser.add_argument("--seed", type=int, help="repeat a run, as far as times allow; random unless given")
    parser.add_argument("--only", choices=SCENARIOS, action="append", help="this scenario; may be given several times")
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--storage", choices=STORAGES, action="append")
    parser.add_argument("--minutes", type=float, default=10, help="begin no further round after these (default: 10)")
    parser.add_argument("--jobs", type=int, default=2, help="scenarios at a time (default: 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def _run(name: str, world: World, rounds: int | None, seed: int) -> Result:
    """Run one scenario; if it breaks off, that is a trouble of its own."""
    scenario = SCENARIOS[name]
    started = time.monotonic()
    title = f"{name}, {world.database}, {world.storage}"
    _say(f"{title} ...")
    try:
        result = scenario.run(world, rounds or scenario.rounds, seed)
    except Exception as error:  # noqa: BLE001  the other scenarios still have something to tell
        result = Result(name, world.database, world.storage)
        result.blame("wrong", f"broke off: {type(error).__name__}: {error}")
    result.took_seconds = time.monotonic() - started
    _say(f"{title}: {'fine' if result.is_clean else 'NOT FINE'}, {result.took_seconds:.0f} s")
    return result


@contextmanager
def _grounds() -> Iterator[Grounds]:
    folder = Path(tempfile.mkdtemp(prefix="lakehouse-chaos-"))
    try:
        with run_rclone() as s3, run_postgres() as postgres:
            grounds = Grounds(folder, postgres.url("postgres"), s3)
            try:
                grounds.prepare()
                yield grounds
            finally:
                grounds.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _say(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


if __name__ == "__main__":
    main()
