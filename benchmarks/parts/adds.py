"""Adding: in batches of several sizes, and a whole data set."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.teams import Team


def run_batches(bench: Bench) -> None:
    """Add seeded vectors to new collections that are searchable all the while."""
    dimension = bench.seeded.data.dimension
    table = bench.table("adds", f"adds, d = {dimension}, by items in a batch", "vectors/s")
    for turn in range(bench.plan.rounds):
        for team in bench.able("add"):
            for size, count in bench.plan.adds:
                with bench.trying(team, "adds"):
                    name = f"adds-{team.contender.name}-{turn}-{size}"
                    team.create(name, bench.seeded, indexed=True)
                    most, items = bench.plan.most_add_seconds, min(count, len(bench.seeded.data))
                    rate = team.add(name, bench.seeded, size, count=items, most_seconds=most)
                    table.add(team.title, f"{size:,}", rate)
                    team.drop(name)
        bench.say(f"adds, round {turn + 1}")


def run_whole(bench: Bench) -> None:
    """Load the real data set in batches of 1,000; the collections of the last round stay for the searches."""
    data = bench.real.data
    title = f"{len(data):,} × {data.dimension} in batches of 1,000, metadata and all"
    when_answered = bench.table("whole", f"loading {title}: acknowledged", "vectors/s")
    when_built = bench.table("built", f"loading {title}: until the index is built", "vectors/s")
    for turn in range(bench.plan.rounds):
        for team in bench.able("add"):
            with bench.trying(team, "whole"):
                is_last = turn == bench.plan.rounds - 1
                team.effort = team.contender.efforts[0]
                name = f"whole-{team.contender.name}-{turn}"
                if team.contender.shares is not None:
                    # The index that is built afterwards is the same, however the vectors came.
                    team.create(name, bench.real)
                    when_answered.add(team.title, "vectors/s", team.add(name, bench.real, 1_000))
                    team.drop(name)
                    continue
                answered, built = bench.load(team, "real" if is_last else name, bench.real)
                when_answered.add(team.title, "vectors/s", answered)
                when_built.add(team.title, "vectors/s", built)
                if is_last:
                    _weigh(bench, team)
                else:
                    bench.drop(team, name)
        bench.say(f"whole data set, round {turn + 1}")


def _weigh(bench: Bench, team: Team) -> None:
    """Note what a contender's files take that has held this data set several times and others before."""
    size = team.disk_bytes()
    if size is not None:
        data = bench.real.data
        table = bench.table("disk", f"disk after loading {len(data):,} × {data.dimension}", "MiB", more_is_better=False)
        table.add(team.title, "MiB", size / 2**20)
