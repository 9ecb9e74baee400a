"""One writer without pause, and one who searches beside it."""

from __future__ import annotations

from benchmarks.bench import Bench
from benchmarks.figures import percentile
from benchmarks.teams import Load, Team

BATCH = 1_000
SHARES = (0.5, 0.95, 0.99)


def run_mixed(bench: Bench) -> None:
    data = bench.real.data
    about = f"one client on {len(data):,} × {data.dimension}, while one writes in batches of {BATCH:,}"
    table = bench.table("mixed", f"latency of {about}", "ms", more_is_better=False)
    rates = bench.table("mixed rates", f"searches of {about}, and what is written", "1/s")
    shares = bench.table("mixed share", f"searches of {about}, as a share of those of the idle server", "×")
    bench.ready("real", bench.real)
    for turn in range(bench.plan.rounds):
        for team in bench.able("mixed"):
            with bench.trying(team, "mixed"):
                idle, busy, written = _one(bench, team, f"mixed-{team.contender.name}")
                for share in SHARES:
                    table.add(team.title, f"idle p{share * 100:.0f}", percentile(idle.took, share) * 1e3)
                for share in SHARES:
                    table.add(team.title, f"p{share * 100:.0f}", percentile(busy.took, share) * 1e3)
                rates.add(team.title, "searches/s, idle", idle.calls_per_second)
                rates.add(team.title, "searches/s", busy.calls_per_second)
                rates.add(team.title, "vectors/s written", written)
                shares.add(team.title, "of idle", busy.calls_per_second / idle.calls_per_second)
        bench.say(f"mixed, round {turn + 1}")


def _one(bench: Bench, team: Team, name: str) -> tuple[Load, Load, float]:
    """Search a collection when nothing else happens, and then while it grows."""
    seconds = bench.plan.mixed_seconds
    if (team.contender.name, name) not in bench.there:
        bench.load(team, name, bench.real)
    rate = bench.rates[team.contender.name]
    reader = team.prepare(name, bench.real, clients=2)[1]
    idle = team.load([reader], 1, seconds)
    # More than it can write, but not so much that making the batches takes longer than sending them.
    enough = BATCH * (1 + int(1.5 * rate * seconds / BATCH))
    team.stage(bench.real, BATCH, enough, prefix=f"{bench.elapsed:.0f}-")
    team.first.send("add", name=name, most_seconds=seconds)
    busy = team.load([reader], 1, seconds)
    done, took = team.first.receive()
    if took < seconds / 2:
        bench.results.note(f"{team.title}: in the mixed load the writer was through after {took:.1f} s.")
    if done > len(bench.real.data) / 4:
        # Every round begins with a collection of about the same size.
        bench.drop(team, name)
    return idle, busy, done / took
