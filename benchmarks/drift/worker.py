"""One contender in a process of its own: import, warm up, measure, print one line of JSON.

It imports nothing of this project except for the contender `lakehouse`, so it runs in the peers' environments too.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SEED = 20_261_122
Column = Callable[[Any, Any], object]


def lakehouse(distances: bool) -> Column:
    from drift.psi import compute_distribution_drift

    return lambda reference, current: compute_distribution_drift(reference, current, distances=distances)


def histogram() -> Column:
    def column(reference: Any, current: Any) -> object:
        low, high = min(reference.min(), current.min()), max(reference.max(), current.max())
        return [np.histogram(side, bins=10, range=(low, high))[0] for side in (reference, current)]

    return column


def plain_scipy() -> Column:
    from scipy import stats

    def column(reference: Any, current: Any) -> object:
        low, high = min(reference.min(), current.min()), max(reference.max(), current.max())
        counts = [np.histogram(side, bins=10, range=(low, high))[0] for side in (reference, current)]
        p, q = (np.maximum(one / one.sum(), 1e-4) for one in counts)
        live = np.array(counts)[:, np.sum(counts, axis=0) > 0]
        return (
            float(((q - p) * np.log(q / p)).sum()),
            stats.chi2_contingency(live, correction=False).pvalue,
            stats.ks_2samp(reference, current, method="asymp").statistic,
            stats.wasserstein_distance(reference, current),
        )

    return column


def frouros() -> Column:
    from frouros.detectors.data_drift.batch.distance_based.psi import PSI

    def column(reference: Any, current: Any) -> object:
        detector = PSI(num_bins=10)
        detector.fit(X=reference)
        return detector.compare(X=current)[0].distance

    return column


def evidently() -> Column:
    import pandas as pd
    from evidently.legacy.calculations.stattests import psi_stat_test
    from evidently.legacy.core import ColumnType

    def column(reference: Any, current: Any) -> object:
        sides = pd.Series(reference), pd.Series(current)
        return psi_stat_test(*sides, ColumnType.Numerical, 0.1).drift_score

    return column


CONTENDERS: dict[str, Callable[[], Column]] = {
    "lakehouse, PSI and p": lambda: lakehouse(False),
    "lakehouse, everything": lambda: lakehouse(True),
    "numpy histogram": histogram,
    "plain scipy": plain_scipy,
    "frouros": frouros,
    "evidently": evidently,
}


def main() -> None:
    name, columns, values = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    before = time.perf_counter()
    column = CONTENDERS[name]()
    import_seconds = time.perf_counter() - before
    rng = np.random.default_rng(SEED)
    pair = rng.normal(size=values), rng.normal(0.1, 1.0, values)
    column(*(side[:1000] for side in pair))
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    for _ in range(columns):
        column(*pair)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"import_s": import_seconds, "column_ms": 1000 * seconds / columns, "extra_mib": (peak - base) / 1024}
    print(json.dumps(figures | {"resident_mib": peak / 1024}))


if __name__ == "__main__":
    main()
