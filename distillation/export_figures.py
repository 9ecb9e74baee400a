"""Numbers of an export: the funnel of its stages, conserved, and the key figures the next export is compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from distillation.errors import NotConserved
from distillation.export_request import SPLITS
from distillation.firewall import POSITIVE_ROLES, Category
from distillation.pipeline_types import Decision, Outcome, Row
from drift.audit import Direction

# In the order of the pipeline: each stage takes away the runs of its outcomes.
STAGES: tuple[tuple[str, tuple[Outcome, ...]], ...] = (
    ("dispute", (Outcome.DISPUTED,)),
    ("firewall", (Outcome.FIREWALL_BLOCKED,)),
    ("category policy", (Outcome.PARTIAL_EXCLUDED,)),
    ("synthesis", (Outcome.SYNTHESIS_FAILED,)),
    ("leaks", (Outcome.LABEL_CONFLICT, Outcome.CONTEXT_LEAK)),
    ("secrets", (Outcome.SECRET,)),
    ("exact duplicates", (Outcome.EXACT_DUPLICATE,)),
    ("decontamination", (Outcome.CONTAMINATED,)),
    ("near duplicates", (Outcome.CONTAMINATED_NEIGHBOR, Outcome.NEAR_DUPLICATE)),
    ("attempts", (Outcome.SUPERSEDED_ATTEMPT,)),
    ("pairs", (Outcome.NO_PARTNER, Outcome.PAIR_LIMIT)),
)
DIRECTIONS: Mapping[str, Direction] = {
    "accepted_share": "higher_is_better",
    "contaminated_share": "lower_is_better",
    "duplicate_share": "lower_is_better",
    "secret_share": "lower_is_better",
}
_PERCENTILES = (50, 95)


@dataclass(frozen=True, slots=True)
class Stage:
    """How many runs went into a stage and how many came out; `outcomes` are those that stayed behind."""

    name: str
    runs_in: int
    runs_out: int
    outcomes: Mapping[str, int]


def funnel(decisions: Sequence[Decision], exported_runs: set[str], runs_read: int) -> list[Stage]:
    """Return the stages of an export with their counts.

    Parameters
    ----------
    decisions
        One for each run.
    exported_runs
        The run ids that stand in a row.
    runs_read
        How many runs went in.

    Raises
    ------
    NotConserved
        A run has no decision, or two, or is exported against its decision, or the stages do not add up.
    """
    outcomes = Counter(decision.outcome for decision in decisions)
    ids = {decision.run_id for decision in decisions}
    if len(decisions) != runs_read or len(ids) != runs_read:
        raise NotConserved(f"{runs_read} runs were read, {len(decisions)} decisions were made on {len(ids)} runs.")
    by_decision = {decision.run_id for decision in decisions if decision.outcome == Outcome.EXPORTED}
    if by_decision != exported_runs:
        differing = sorted(by_decision ^ exported_runs)[:5]
        raise NotConserved(f"Rows and decisions do not name the same runs, see {', '.join(differing)}.")
    remaining, stages = runs_read, []
    for name, taken in STAGES:
        counts = {outcome.value: outcomes[outcome] for outcome in taken if outcomes[outcome]}
        stages.append(Stage(name, remaining, remaining - sum(counts.values()), counts))
        remaining = stages[-1].runs_out
    if remaining != outcomes[Outcome.EXPORTED]:
        raise NotConserved(f"{remaining} runs are left after all stages, {outcomes[Outcome.EXPORTED]} are exported.")
    return stages


def key_figures(
    decisions: Sequence[Decision], rows: Sequence[Row], categories: Mapping[str, str], redactions: Mapping[str, int]
) -> dict[str, float]:
    """Return the figures an export is compared by with the one before it.

    Parameters
    ----------
    decisions
        One for each run.
    rows
        Every text that is exported, both sides of a preference.
    categories
        Of every run that was read.
    redactions
        Kind of placeholder → how often.

    Returns
    -------
    dict[str, float]
        Counts, shares of 0 to 1, lengths in characters, redactions a row.
    """
    runs, count = max(1, len(decisions)), max(1, len(rows))
    outcomes = Counter(decision.outcome for decision in decisions)
    splits = Counter(row.split for row in rows)
    figures: dict[str, float] = {
        "runs": len(decisions),
        "rows": len(rows),
        "exported_share": outcomes[Outcome.EXPORTED] / runs,
        "accepted_share": Counter(categories.values())[Category.ACCEPTED] / runs,
        "positive_share": sum(row.role in POSITIVE_ROLES for row in rows) / count,
        "duplicate_share": (outcomes[Outcome.EXACT_DUPLICATE] + outcomes[Outcome.NEAR_DUPLICATE]) / runs,
        "contaminated_share": (outcomes[Outcome.CONTAMINATED] + outcomes[Outcome.CONTAMINATED_NEIGHBOR]) / runs,
        "secret_share": outcomes[Outcome.SECRET] / runs,
        "redactions_a_row": sum(redactions.values()) / count,
        "tasks": len({row.task_id for row in rows}),
    }
    figures |= {f"{split}_share": splits[split] / count for split in SPLITS}
    prompts = [len(row.sample.context) + len(row.sample.instruction) for row in rows]
    figures |= _lengths("prompt", prompts) | _lengths("response", [len(row.sample.response) for row in rows])
    return figures


def _lengths(name: str, characters: Sequence[int]) -> dict[str, float]:
    lengths = np.array(characters or [0], np.float64)
    found = {f"{name}_characters_mean": float(lengths.mean())}
    for percentile in _PERCENTILES:
        found[f"{name}_characters_p{percentile}"] = float(np.percentile(lengths, percentile))
    return found
