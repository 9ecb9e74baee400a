"""Rules 9 to 11 for one side of a training set: exact duplicates, evaluation items, near duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from distillation.candidates import Candidate, Digest, context_of, digest, normal_prompt
from distillation.decontamination import Contact, find_contacts
from distillation.eval_index import EvalIndex
from distillation.near_duplicates import Likeness, find_near_duplicates
from distillation.pipeline_types import Json, Outcome, PipelineConfig
from distillation.stage_book import StageBook
from distillation.texts import Shingles, Tokens, normalise, shingles, tokenise

DIGITS = 4
"""Decimals of a coverage or a Jaccard in the evidence; what is compared is not rounded."""


@dataclass(slots=True)
class Side:
    """The positive or the negative rows of an export, in the order in which they survive.

    Attributes
    ----------
    rows
        What is left.
    contacts
        Run id → the evaluation item it holds too much of, or enough to be marked.
    prompts
        Run id → digest of its prompt, of all rows that went in.
    links
        Pairs of tasks with an exact or near duplicate of each other.
    tokens, tokenised
        The words of the rows after exact duplicates were taken out, and those rows.
    """

    rows: list[Candidate]
    contacts: dict[str, Contact] = field(default_factory=dict)
    prompts: dict[str, Digest] = field(default_factory=dict)
    links: list[tuple[str, str]] = field(default_factory=list)
    tokens: Tokens | None = None
    tokenised: Sequence[Candidate] = ()


def drop_exact_duplicates(side: Side, index: EvalIndex, book: StageBook) -> None:
    """Keep the first of rows with the same texts in normal form; note prompts and canaries while that form is there."""
    kept: list[Candidate] = []
    first_with: dict[Digest, Candidate] = {}
    for row in side.rows:
        prompt, response = normal_prompt(row.sample), normalise(row.sample.response)
        side.prompts[row.run_id] = digest(*prompt)
        first = first_with.setdefault(digest(*prompt, response), row)
        if first is not row:
            side.links.append((first.task_id, row.task_id))
            book.decide(row.run_id, Outcome.EXACT_DUPLICATE, {"of": first.run_id})
            continue
        kept.append(row)
        canary = index.find_canary("\n".join([*prompt, response]))
        if canary is not None:
            side.contacts[row.run_id] = Contact(canary, "canary", 1.0)
    side.rows = kept


def tokenise_side(side: Side) -> None:
    """Cut what is left into words, once for both stages that compare words."""
    texts = ((row.sample.instruction, context_of(row.sample), row.sample.response) for row in side.rows)
    side.tokens, side.tokenised = tokenise(texts), side.rows


def drop_contaminated(side: Side, index: EvalIndex, config: PipelineConfig, book: StageBook) -> None:
    """Take out the rows that hold evaluation items; note those that hold a part of one."""
    if side.tokens is None:
        raise ValueError("the side is not tokenised")
    for place, contact in find_contacts(side.tokens, index, config).items():
        if contact.coverage >= config.suspicious_coverage:
            side.contacts.setdefault(side.rows[place].run_id, contact)
    kept = []
    for row in side.rows:
        found = side.contacts.get(row.run_id)
        if found is not None and found.coverage >= config.contaminated_coverage:
            book.decide(row.run_id, Outcome.CONTAMINATED, contact_evidence(found))
        else:
            kept.append(row)
    side.rows = kept


def drop_near_duplicates(side: Side, config: PipelineConfig, book: StageBook) -> None:
    """Take out the neighbours of contaminated rows, then rows too close to one that is kept."""
    if side.tokens is None:
        raise ValueError("the side is not tokenised")
    rows = side.tokenised
    left = {row.run_id for row in side.rows}
    is_contaminated = np.array([row.run_id not in left for row in rows], np.bool_)
    sets = shingles(side.tokens, config.shingle_words)
    found = find_near_duplicates(sets, is_contaminated, config.near_duplicate_jaccard)
    for near in found.of_contaminated:
        evidence = _likeness_evidence(rows, near, "neighbor_of", "neighbor_jaccard")
        book.decide(rows[near.row].run_id, Outcome.CONTAMINATED_NEIGHBOR, evidence)
    for near in found.of_kept:
        book.decide(rows[near.row].run_id, Outcome.NEAR_DUPLICATE, _likeness_evidence(rows, near, "of", "jaccard"))
    side.links += [(rows[one].task_id, rows[other].task_id) for one, other in found.links]
    fallen = {rows[near.row].run_id for near in (*found.of_contaminated, *found.of_kept)}
    side.rows = [row for row in side.rows if row.run_id not in fallen]


def prompt_shingles(side: Side, seen: Mapping[Digest, str], size: int) -> tuple[list[Candidate], Shingles]:
    """Return one row of each prompt that was not seen yet, and the runs of words of these prompts."""
    if side.tokens is None:
        raise ValueError("the side is not tokenised")
    first_with: dict[Digest, int] = {}
    for place, row in enumerate(side.tokenised):
        if side.prompts[row.run_id] not in seen:
            first_with.setdefault(side.prompts[row.run_id], place)
    places = list(first_with.values())
    sets = shingles(side.tokens, size, np.array(places, np.int64), prompts=True)
    return [side.tokenised[place] for place in places], sets


def contact_evidence(contact: Contact) -> dict[str, Json]:
    """Return the evidence for a contaminated row."""
    return {
        "of": contact.item.item_id,
        "eval_set": contact.item.eval_set,
        "how": contact.how,
        "coverage": round(contact.coverage, DIGITS),
    }


def _likeness_evidence(rows: Sequence[Candidate], near: Likeness, of: str, jaccard: str) -> dict[str, Json]:
    return {of: rows[near.of].run_id, jaccard: round(near.jaccard, DIGITS)}
