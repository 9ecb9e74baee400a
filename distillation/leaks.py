"""Texts of blocked runs that come back in others: the same answer under another label, or in an earlier turn."""

from __future__ import annotations

from dataclasses import dataclass, field

from distillation.candidates import Candidate, Digest, digest
from distillation.firewall import Category
from distillation.pipeline_types import Json, Outcome, Sample
from distillation.texts import normalise


@dataclass(slots=True)
class BlockedAnswers:
    """The answers of all runs behind the firewall, as digests: the texts themselves are not kept.

    A disputed run counts by the category it has: whoever decides may still find that it was rejected.
    """

    by_task: dict[Digest, str] = field(default_factory=dict)  # (task, answer) → smallest run id
    reviewed_by_task: dict[Digest, str] = field(default_factory=dict)  # only those that are not simply rejected
    anywhere: dict[Digest, str] = field(default_factory=dict)  # answer → smallest run id

    def add(self, run_id: str, task_id: str, category: str, sample: Sample) -> None:
        answer = normalise(sample.response)
        if not answer:
            return
        tables = [(self.by_task, digest(task_id, answer)), (self.anywhere, digest(answer))]
        if category != Category.REJECTED:
            tables.append((self.reviewed_by_task, digest(task_id, answer)))
        for table, key in tables:
            table[key] = min(run_id, table.get(key, run_id))

    def find(self, row: Candidate) -> tuple[Outcome, dict[str, Json]] | None:
        """Return why a row must not be exported, with the smallest id of a run it leaks from, or None.

        Notes
        -----
        A rejected row is of course an answer that was rejected for its task. Only one under review holds it back:
        such text stands nowhere.
        """
        answers = self.by_task if row.is_positive else self.reviewed_by_task
        found = answers.get(digest(row.task_id, normalise(row.sample.response)))
        if found is not None:
            return Outcome.LABEL_CONFLICT, {"blocked_run": found}
        for turn in row.sample.turns:
            if turn.role == "assistant":
                found = self.anywhere.get(digest(normalise(turn.content)))
                if found is not None:
                    return Outcome.CONTEXT_LEAK, {"blocked_run": found}
        return None
