"""Preferences: the best accepted run of a task and prompt against rejected runs of the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from distillation.attempts import by_prompt
from distillation.candidates import Candidate, Digest


@dataclass(frozen=True, slots=True)
class Preferences:
    """Who stands against whom.

    Attributes
    ----------
    pairs
        Chosen and rejected, by task, then chosen run, then from the best rejected down.
    superseded
        Accepted runs that are not the best of their prompt, each with the best.
    unpaired
        Runs without one of the other side.
    over_limit
        Rejected runs after the last that is taken, each with its chosen run.
    """

    pairs: Sequence[tuple[Candidate, Candidate]]
    superseded: Sequence[tuple[Candidate, Candidate]] = field(default_factory=tuple)
    unpaired: Sequence[Candidate] = field(default_factory=tuple)
    over_limit: Sequence[tuple[Candidate, Candidate]] = field(default_factory=tuple)


def find_pairs(
    accepted: Iterable[Candidate], rejected: Iterable[Candidate], prompts: dict[str, Digest], limit: int
) -> Preferences:
    """Join the best accepted run of each (task, prompt) with at most `limit` rejected ones.

    Parameters
    ----------
    accepted, rejected
        What is left of each side.
    prompts
        Run id → digest of its prompt.
    limit
        Pairs for each (task, prompt), from 1.
    """
    positive, negative = by_prompt(accepted, prompts), by_prompt(rejected, prompts)
    pairs: list[tuple[Candidate, Candidate]] = []
    superseded: list[tuple[Candidate, Candidate]] = []
    unpaired: list[Candidate] = []
    over_limit: list[tuple[Candidate, Candidate]] = []
    for key, rows in positive.items():
        best, *others = sorted(rows, key=Candidate.best_rank)
        superseded += [(row, best) for row in others]
        against = sorted(negative.pop(key, []), key=Candidate.best_rank)
        pairs += [(best, row) for row in against[:limit]]
        over_limit += [(row, best) for row in against[limit:]]
        unpaired += [] if against else [best]
    unpaired += [row for rows in negative.values() for row in rows]
    pairs.sort(key=lambda pair: (pair[0].task_id, pair[0].run_id, pair[1].best_rank()))
    return Preferences(pairs, superseded, unpaired, over_limit)
