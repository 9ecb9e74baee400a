"""How often the alert is false without drift, and how often it is right with it. Run as a module: prints the table."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from drift.psi import compute_distribution_drift
from drift.samples import Floats

SIZES = (50, 100, 300, 1000)
ROUNDS = 1000
SEED = 20250601
Draw = Callable[[np.random.Generator, int], Floats]

WITHOUT: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.uniform(size=n),
    "lognormal": lambda rng, n: rng.lognormal(sigma=1.0, size=n),
    "five grades": lambda rng, n: rng.integers(0, 5, n) / 4,
}
WITH: dict[str, Draw] = {
    "mean + 0.25 sd": lambda rng, n: rng.normal(0.25, size=n),
    "mean + 0.5 sd": lambda rng, n: rng.normal(0.5, size=n),
    "mean + 1 sd": lambda rng, n: rng.normal(1.0, size=n),
    "sd × 1.5": lambda rng, n: rng.normal(0.0, 1.5, size=n),
    "sd × 2": lambda rng, n: rng.normal(0.0, 2.0, size=n),
}


def share_of_alerts(reference: Draw, current: Draw, n: int, binning: str, rounds: int) -> tuple[float, float]:
    """Return the share of alerts, and that of PSI alone at 0.10 or more."""
    rng = np.random.default_rng([SEED, n])
    alerts = above = 0
    for _ in range(rounds):
        found = compute_distribution_drift(
            reference(rng, n),
            current(rng, n),
            distances=False,
            binning=binning,  # type: ignore[arg-type]
        )
        alerts += found.alert
        above += found.psi >= 0.10
    return alerts / rounds, above / rounds


@cache
def table(binning: str, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return row → for each size the share of alerts and that of PSI alone."""
    normal = WITHOUT["normal"]
    rows = {f"no drift, {name}": (draw, draw) for name, draw in WITHOUT.items()}
    rows |= {f"normal, {name}": (normal, draw) for name, draw in WITH.items()}
    return {name: [share_of_alerts(*pair, n, binning, rounds) for n in SIZES] for name, pair in rows.items()}


def markdown(binning: str, rounds: int = ROUNDS) -> list[str]:
    """Return the lines of the table as the documentation has them: alerts, in brackets PSI alone."""
    head = [f"| {binning} | " + " | ".join(f"n = {n:,}" for n in SIZES) + " |", "|---|" + "---:|" * len(SIZES)]
    lines = []
    for name, shares in table(binning, rounds).items():
        cells = [f"{100 * alert:.1f} % ({100 * above:.0f} %)" for alert, above in shares]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return head + lines


if __name__ == "__main__":
    for one in ("equal_width", "quantile"):
        print("\n".join(markdown(one)), end="\n\n")  # noqa: T201
