"""Several runs of the same task and prompt: which of them is taken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from distillation.candidates import Candidate, Digest

Attempts: TypeAlias = dict[tuple[str, Digest], list[Candidate]]


def by_prompt(rows: Iterable[Candidate], prompts: dict[str, Digest]) -> Attempts:
    """Gather the rows of each (task, prompt).

    Parameters
    ----------
    rows
        Rows of one side.
    prompts
        Run id → digest of system, earlier turns, context and instruction in normal form.
    """
    gathered: Attempts = {}
    for row in rows:
        gathered.setdefault((row.task_id, prompts[row.run_id]), []).append(row)
    return gathered


def choose(attempts: Sequence[Candidate], policy: Literal["best", "latest", "all"]) -> Candidate | None:
    """Return the attempt that stands for all of one (task, prompt); None when all of them do.

    Notes
    -----
    `best`: the highest score, then the highest attempt, then the smallest run id. `latest`: the highest attempt, then
    the latest scored, then the smallest run id.
    """
    if policy == "best":
        return min(attempts, key=Candidate.best_rank)
    if policy == "latest":
        return min(attempts, key=lambda row: (-row.attempt, -row.scored_at.timestamp(), row.run_id))
    return None
