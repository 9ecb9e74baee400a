"""A run on its way through the pipeline, and which of two runs goes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import xxhash

from distillation.pipeline_types import Json, Outcome, Run, Sample
from distillation.texts import normalise

Decide: TypeAlias = Callable[["Candidate", Outcome, Mapping[str, Json]], None]
"""Writes down the fate of a candidate. Each has one."""
Digest: TypeAlias = bytes

# After normalise() no text holds it, so the joined fields of two rows are equal only if each of them is.
_BORDER = "\x1f"
NO_SCORE = -1.0
"""A run without a score comes after every run with one, also after those with 0."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that may stand on one side of a training set.

    Attributes
    ----------
    is_positive
        Whether it is to be trained towards; else it is the rejected side of a pair or a KTO false.
    sample
        Its texts, after redaction from that stage on.
    redacted
        Kind of placeholder → how often it stands in `sample` now.
    """

    run_id: str
    task_id: str
    category: str
    attempt: int
    score: float
    scored_at: datetime
    is_positive: bool
    sample: Sample
    redacted: Mapping[str, Json]

    def survivor_rank(self) -> tuple[float, datetime, str]:
        """Of equal rows the one with the smallest rank is kept: highest score, then earliest, then run id."""
        return -self.score, self.scored_at, self.run_id

    def best_rank(self) -> tuple[float, int, str]:
        """Of several attempts the one with the smallest rank is best: highest score, then attempt, then run id."""
        return -self.score, -self.attempt, self.run_id


def candidate(run: Run, sample: Sample, *, is_positive: bool) -> Candidate:
    """Begin with a run that the firewall let through."""
    return Candidate(
        run_id=run.run_id,
        task_id=run.task_id,
        category=run.category,
        attempt=run.attempt,
        score=NO_SCORE if run.score is None else run.score,
        scored_at=run.scored_at,
        is_positive=is_positive,
        sample=sample,
        redacted={},
    )


def digest(*texts: str) -> Digest:
    """Return 128 bits that stand for texts which are in the normal form of `texts.normalise`."""
    return xxhash.xxh3_128_digest(_BORDER.join(texts).encode("utf-8", "surrogatepass"))


def normal_prompt(sample: Sample) -> list[str]:
    """Return what comes before the response, field by field, in normal form."""
    turns = [part for turn in sample.turns for part in (turn.role, normalise(turn.content))]
    return [normalise(sample.system), *turns, normalise(sample.context), normalise(sample.instruction)]


def context_of(sample: Sample) -> str:
    """Return the earlier turns and the context as one text, for comparing words."""
    if not sample.turns:
        return sample.context
    return "\n".join([*(turn.content for turn in sample.turns), sample.context])
