"""Rules 4 to 6: which runs come in at all, and on which side of a training set."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from distillation.candidates import Candidate, candidate
from distillation.firewall import Category, Role, is_sft_never, may_stand
from distillation.leaks import BlockedAnswers
from distillation.pipeline_types import Json, Outcome, PipelineConfig, Run
from distillation.stage_book import StageBook
from distillation.synthesis import NotText, synthesise

PROGRESS_STEP = 10_000
ROLES = {
    "sft": (Role.SFT, None),
    "preference": (Role.CHOSEN, Role.REJECTED),
    "kto": (Role.KTO_TRUE, Role.KTO_FALSE),
}
"""Kind of export → what its positive and its negative rows are."""


@dataclass(slots=True)
class Entrance:
    """The runs that came in, and what the others leave behind: the answers that must not come back."""

    candidates: list[Candidate] = field(default_factory=list)
    blocked: BlockedAnswers = field(default_factory=BlockedAnswers)
    runs: int = 0


def admit(runs: Iterable[Run], config: PipelineConfig, book: StageBook) -> Entrance:
    """Read all runs once; their order does not matter, and their parsed lines are not kept."""
    entrance = Entrance()
    failed = 0
    started = time.perf_counter()
    for run in runs:
        entrance.runs += 1
        if entrance.runs % PROGRESS_STEP == 0:
            book.progress("firewall", entrance.runs)
        is_positive = side_of(run, config, book)
        failed += _admit_one(run, is_positive, entrance, book)
    # One pass over the runs makes two stages: their text is not read twice.
    passed = len(entrance.candidates) + failed
    book.stages += [("firewall", entrance.runs, passed), ("synthesis", passed, len(entrance.candidates))]
    book.seconds["firewall_and_synthesis"] = time.perf_counter() - started
    return entrance


def side_of(run: Run, config: PipelineConfig, book: StageBook) -> bool | None:
    """Say whether a run is a candidate to be trained towards or away from; None when it is neither, and why is noted.

    A disputed run is left out before its category is looked at: nobody knows which of its contents is true.
    """
    positive, negative = ROLES[config.kind]
    if run.is_disputed:
        book.decide(run.run_id, Outcome.DISPUTED, {})
    elif may_stand(run.category, positive, include_partial=config.include_partial):
        return True
    elif negative is not None and may_stand(run.category, negative, include_partial=config.include_partial):
        return False
    elif run.category == Category.PARTIALLY_ACCEPTED:
        book.decide(run.run_id, Outcome.PARTIAL_EXCLUDED, {})
    else:
        book.decide(run.run_id, Outcome.FIREWALL_BLOCKED, {"category": run.category})
    return None


def _admit_one(run: Run, is_positive: bool | None, entrance: Entrance, book: StageBook) -> bool:
    """Take the texts of a run for what they are needed for; say whether it should have had some and has not."""
    is_blocked = is_sft_never(run.category)
    if is_positive is None and not is_blocked:
        return False
    reason: dict[str, Json] = {}
    try:
        sample = synthesise(run.source, run.content)
    except NotText as error:
        sample, reason = None, {"field": error.name}
    if sample is None:
        if is_positive is not None:
            book.decide(run.run_id, Outcome.SYNTHESIS_FAILED, reason)
        return is_positive is not None
    if is_blocked:
        entrance.blocked.add(run.run_id, run.task_id, run.category, sample)
    if is_positive is not None:
        entrance.candidates.append(candidate(run, sample, is_positive=is_positive))
    return False
