"""Scorer drift: what a new version of a scorer says of the same runs, and drift between shares of categories."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from distillation.firewall import Category, is_sft_never
from drift import chi_square
from drift.psi import ALPHA, EPSILON, MINOR, Tier, contributions, merge_neighbours, noise_p95, pearson, tier_of

MINOR_RATE, MAJOR_RATE = 0.01, 0.05
_RANK: dict[str, int] = {
    Category.REJECTED: 0,
    Category.NEEDS_HUMAN_REVIEW: 1,
    Category.PARTIALLY_ACCEPTED: 2,
    Category.ACCEPTED: 3,
}
_UNKNOWN_RANK = -1


@dataclass(frozen=True, slots=True)
class ScorerDrift:
    """What changed between two verdicts on the same runs. Without a common run only the counts say anything."""

    n_before: int
    n_after: int
    n_common: int
    only_before: int
    only_after: int
    changed: int = 0
    change_rate: float = 0.0
    upgrades: int = 0
    downgrades: int = 0
    firewall_opened: tuple[str, ...] = ()
    firewall_closed: tuple[str, ...] = ()
    verdict: Literal["stable", "minor", "major", "insufficient_data"] = "insufficient_data"
    transitions: tuple[tuple[str, str, int], ...] = ()
    cohen_kappa: float | None = None
    bowker: float = 0.0
    bowker_df: int = 0
    bowker_p: float = 1.0
    mcnemar_exact_p: float = 1.0
    category_psi: float = 0.0
    category_tier: Tier = "stable"

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON knows it: the crossings of the firewall as counts, and the ids of their runs."""
        facts: dict[str, object] = {name: getattr(self, name) for name in self.__slots__}
        return facts | {
            "firewall_opened": len(self.firewall_opened),
            "firewall_closed": len(self.firewall_closed),
            "firewall_opened_runs": list(self.firewall_opened),
            "firewall_closed_runs": list(self.firewall_closed),
            "transitions": [list(transition) for transition in self.transitions],
        }


def compute_scorer_drift(
    before: Mapping[str, str], after: Mapping[str, str], *, epsilon: float = EPSILON
) -> ScorerDrift:
    """Compare two verdicts on the same runs.

    Parameters
    ----------
    before, after
        Run id → category. An unknown category ranks below all others and is behind the firewall.
    epsilon
        Share that stands for a category nobody has, for the PSI of the categories.

    Returns
    -------
    ScorerDrift
        Verdict by the rate of changes (stable < 0.01 <= minor < 0.05 <= major); a run that may be trained towards only
        now (`firewall_opened`) makes it at least minor. Everything but the counts is over the common runs.

    Raises
    ------
    TypeError
        An id or a category is not text.

    References
    ----------
    Cohen (1960), kappa; Bowker (1948), symmetry of the table of transitions; McNemar (1947), exact, on the runs that
    crossed the firewall.
    """
    _check_text(before, "before")
    _check_text(after, "after")
    common = sorted(before.keys() & after.keys())
    sizes = (len(before), len(after), len(common), len(before) - len(common), len(after) - len(common))
    if not common:
        return ScorerDrift(*sizes)
    pairs = [(before[run], after[run]) for run in common]
    table = Counter(pairs)
    opened = tuple(run for run in common if is_sft_never(before[run]) and not is_sft_never(after[run]))
    closed = tuple(run for run in common if not is_sft_never(before[run]) and is_sft_never(after[run]))
    changed = sum(one != other for one, other in pairs)
    rate = changed / len(common)
    bowker, df = _bowker(table)
    old, new = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    psi = compute_category_drift(old, new, epsilon=epsilon).psi
    return ScorerDrift(
        *sizes,
        changed=changed,
        change_rate=rate,
        upgrades=sum(_rank(other) > _rank(one) for one, other in pairs),
        downgrades=sum(_rank(other) < _rank(one) for one, other in pairs),
        firewall_opened=opened,
        firewall_closed=closed,
        verdict="major" if rate >= MAJOR_RATE else "minor" if rate >= MINOR_RATE or opened else "stable",
        transitions=tuple((one, other, count) for (one, other), count in sorted(table.items())),
        cohen_kappa=_kappa(old, new, len(common), changed),
        bowker=bowker,
        bowker_df=df,
        bowker_p=chi_square.survival(bowker, df),
        mcnemar_exact_p=mcnemar_exact_p(len(opened), len(closed)),
        category_psi=psi,
        category_tier=tier_of(psi),
    )


def _check_text(verdicts: Mapping[Any, object], side: str) -> None:
    for run, category in verdicts.items():
        if not (isinstance(run, str) and isinstance(category, str)):
            raise TypeError(f"{side}: expected ids and categories as text, got {run!r}: {category!r}.")


def _rank(category: str) -> int:
    return _RANK.get(category, _UNKNOWN_RANK)


def _bowker(table: Counter[tuple[str, str]]) -> tuple[float, int]:
    """Return the statistic and one degree of freedom for each pair of categories between which a run moved."""
    moved = {(min(pair), max(pair)) for pair in table if pair[0] != pair[1]}
    parts = [
        (table[one, other] - table[other, one]) ** 2 / (table[one, other] + table[other, one]) for one, other in moved
    ]
    return math.fsum(parts), len(moved)


def _kappa(old: Counter[str], new: Counter[str], total: int, changed: int) -> float:
    # In whole numbers: with one category on both sides chance explains everything, and 1 - 1.0 has to be 0.
    by_chance = sum(old[category] * new[category] for category in old)
    if by_chance == total * total:
        return 1.0
    return ((total - changed) * total - by_chance) / (total * total - by_chance)


def mcnemar_exact_p(one: int, other: int) -> float:
    """Return the two-sided binomial probability of so uneven a split of `one` + `other` changes."""
    total, fewer = one + other, min(one, other)
    if total == 0:
        return 1.0
    log_all = total * math.log(2)
    logs = (math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) for k in range(fewer + 1))
    return min(1.0, 2 * math.fsum(math.exp(one_log - log_all) for one_log in logs))


@dataclass(frozen=True, slots=True)
class CategoryDrift:
    """What became of the shares of categories; the same measures and tiers as those of a number."""

    n_reference: int
    n_current: int
    psi: float = 0.0
    tier: Tier = "stable"
    verdict: Literal["stable", "minor", "major", "insufficient_data"] = "insufficient_data"
    categories: tuple[str, ...] = ()
    reference_counts: tuple[int, ...] = ()
    current_counts: tuple[int, ...] = ()
    contributions: tuple[float, ...] = ()
    chi2: float = 0.0
    chi2_df: int = 0
    p_value: float = 1.0
    noise_p95: float = 0.0
    reliable: bool = False
    alert: bool = False

    def to_dict(self) -> dict[str, object]:
        """Return it as JSON knows it."""
        facts = {name: getattr(self, name) for name in self.__slots__}
        return {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in facts.items()}


def compute_category_drift(
    reference: Mapping[str, int], current: Mapping[str, int], *, epsilon: float = EPSILON, alpha: float = ALPHA
) -> CategoryDrift:
    """Compare how often each category occurs on two sides.

    Parameters
    ----------
    reference, current
        Category → how many, not negative. The categories are all that either side has seen.
    epsilon, alpha
        As in `drift.psi.compute_distribution_drift`. Categories are merged in alphabetical order where they are rare.
    """
    categories = sorted({name for side in (reference, current) for name, count in side.items() if count})
    old, new = ([side.get(name, 0) for name in categories] for side in (reference, current))
    n, m = sum(old), sum(new)
    if not n or not m:
        return CategoryDrift(n, m)
    parts = contributions(np.array(old) / n, np.array(new) / m, epsilon).tolist()
    psi = math.fsum(parts)
    statistic, df, p_value = pearson(merge_neighbours(old, new))
    noise = noise_p95(len(categories), n, m)
    return CategoryDrift(
        n,
        m,
        psi=psi,
        tier=tier_of(psi),
        verdict=tier_of(psi),
        categories=tuple(categories),
        reference_counts=tuple(old),
        current_counts=tuple(new),
        contributions=tuple(parts),
        chi2=statistic,
        chi2_df=df,
        p_value=p_value,
        noise_p95=noise,
        reliable=noise < MINOR,
        alert=psi >= MINOR and p_value < alpha,
    )
