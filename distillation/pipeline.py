"""Scored runs → what is exported and why the rest is not. Pure; the same for any order of the input.

The rules stand in the order they apply: firewall, synthesis, leaks, secrets and redaction, exact duplicates,
evaluation sets, near duplicates, attempts or pairs, split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from distillation.candidates import Candidate
from distillation.decontamination import Contact
from distillation.entry import admit
from distillation.errors import FirewallBreach
from distillation.eval_index import EvalIndex, index_eval_items
from distillation.firewall import Role, may_stand
from distillation.grouping import group_tasks
from distillation.leaks import BlockedAnswers
from distillation.pipeline_types import (
    Decision,
    EvalItem,
    Json,
    Outcome,
    Pair,
    PipelineConfig,
    PipelineResult,
    Row,
    Run,
)
from distillation.redaction import redact
from distillation.secrets import find_secret
from distillation.selection import Selected, select
from distillation.sides import (
    DIGITS,
    Side,
    drop_contaminated,
    drop_exact_duplicates,
    drop_near_duplicates,
    tokenise_side,
)
from distillation.splits import split_of
from distillation.stage_book import Progress, StageBook


def run_pipeline(
    runs: Iterable[Run], eval_items: Sequence[EvalItem], config: PipelineConfig, *, progress: Progress | None = None
) -> PipelineResult:
    """Decide the fate of every run, and return what is to be written.

    Parameters
    ----------
    runs
        Each run once, in any order; read once, so a generator over a table will do.
    eval_items
        What the export must not hold, in any order.
    config
        Everything else that decides what comes out.
    progress
        Is called with the name of each stage and how many runs go into it.

    Returns
    -------
    PipelineResult
        The same for the same runs, items and configuration, but for `seconds`.

    Raises
    ------
    FirewallBreach
        A row stands where its category may not: a fault in this code, never in the data.
    NotConserved
        A run came twice, or was lost.

    Notes
    -----
    One process. In memory stand the texts of the candidates, about 16 bytes a word for hashes, and 640 bytes a row for
    MinHash while near duplicates are sought.
    """
    book = StageBook(progress)
    entrance = admit(runs, config, book)
    rows = _without_leaks(entrance.candidates, entrance.blocked, book)
    entrance.candidates.clear()
    rows = sorted(_without_secrets(rows, book), key=Candidate.survivor_rank)
    positive = Side([row for row in rows if row.is_positive])
    negative = Side([row for row in rows if not row.is_positive])
    del rows
    _sift([positive, negative], index_eval_items(eval_items, config), config, book)
    with book.stage("selection", len(positive.rows) + len(negative.rows)):
        selected = select(positive, negative, config, book)
    return _finish(selected, [positive, negative], entrance.runs, config, book)


def _without_leaks(rows: list[Candidate], blocked: BlockedAnswers, book: StageBook) -> list[Candidate]:
    kept = []
    with book.stage("leaks", len(rows)):
        for row in rows:
            found = blocked.find(row)
            if found is None:
                kept.append(row)
            else:
                book.decide(row.run_id, *found)
    return kept


def _without_secrets(rows: list[Candidate], book: StageBook) -> list[Candidate]:
    kept = []
    with book.stage("secrets", len(rows)):
        for row in rows:
            found = find_secret(row.sample)
            if found is not None:
                kind, place = found
                book.decide(row.run_id, Outcome.SECRET, {"secret": kind, "field": place})
                continue
            sample, counts = redact(row.sample)
            kept.append(replace(row, sample=sample, redacted=dict(counts)) if counts else row)
    return kept


def _sift(sides: Sequence[Side], index: EvalIndex, config: PipelineConfig, book: StageBook) -> None:
    """Apply rules 9 to 11 to both sides apart."""

    def left() -> int:
        return sum(len(side.rows) for side in sides)

    with book.stage("exact_duplicates", left()):
        for side in sides:
            drop_exact_duplicates(side, index, book)
    with book.timed("tokenisation"):
        for side in sides:
            tokenise_side(side)
    with book.stage("decontamination", left()):
        for side in sides:
            drop_contaminated(side, index, config, book)
    with book.stage("near_duplicates", left()):
        for side in sides:
            drop_near_duplicates(side, config, book)


def _finish(
    selected: Selected, sides: Sequence[Side], runs: int, config: PipelineConfig, book: StageBook
) -> PipelineResult:
    """Group and split what was taken, make its rows and close the book."""
    with book.timed("split"):
        groups = group_tasks(sides, config)

    def row(taken: Candidate, role: Role) -> Row:
        if not may_stand(taken.category, role, include_partial=config.include_partial):
            raise FirewallBreach(f"Run {taken.run_id} is {taken.category} and was about to stand as {role}.")
        group = groups.name_of(taken.task_id)
        split = split_of(group, config)
        return Row(taken.run_id, taken.task_id, taken.category, role, split, group, taken.sample)

    contacts = {run_id: contact for side in sides for run_id, contact in side.contacts.items()}
    rows = [row(taken, role) for taken, role in selected.rows]
    pairs = [Pair(row(one, Role.CHOSEN), row(other, Role.REJECTED)) for one, other in selected.pairs]
    redactions: Counter[str] = Counter()
    for taken in selected.every_one():
        redactions.update(taken.redacted)
        group = groups.name_of(taken.task_id)
        evidence = _export_evidence(taken, contacts.get(taken.run_id))
        book.decide(taken.run_id, Outcome.EXPORTED, evidence, split=split_of(group, config), group=group)
    decisions = book.closed(runs)
    return PipelineResult(
        decisions=decisions,
        rows=rows,
        pairs=pairs,
        stages=book.stages,
        redactions=dict(sorted(redactions.items())),
        eval_hits=_eval_hits(decisions, contacts),
        seconds=book.seconds,
    )


def _export_evidence(taken: Candidate, contact: Contact | None) -> dict[str, Json]:
    evidence: dict[str, Json] = {}
    if taken.redacted:
        evidence["redacted"] = dict(taken.redacted)
    if contact is not None:
        evidence |= {"suspicious": round(contact.coverage, DIGITS), "suspicious_of": contact.item.item_id}
    return evidence


def _eval_hits(decisions: Sequence[Decision], contacts: Mapping[str, Contact]) -> dict[str, dict[str, int]]:
    """Count for each evaluation item the runs it took out, and those that are exported with a mark."""
    hits: Counter[tuple[str, str]] = Counter()
    for decision in decisions:
        contact = contacts.get(decision.run_id)
        if contact is not None and decision.outcome in (Outcome.CONTAMINATED, Outcome.EXPORTED):
            hits[contact.item.eval_set, contact.item.item_id] += 1
    found: dict[str, dict[str, int]] = {}
    for (eval_set, item_id), count in sorted(hits.items()):
        found.setdefault(eval_set, {})[item_id] = count
    return found
