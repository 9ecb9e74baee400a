"""Rule 12, and how preference and KTO sets are put together: what is left becomes rows in roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distillation.attempts import by_prompt, choose
from distillation.candidates import Candidate
from distillation.firewall import Role
from distillation.pairs import find_pairs
from distillation.pipeline_types import Outcome, PipelineConfig
from distillation.sides import Side
from distillation.stage_book import StageBook


@dataclass(frozen=True, slots=True)
class Selected:
    """What is exported, in the order in which it is written: rows with their roles, or pairs."""

    rows: Sequence[tuple[Candidate, Role]] = ()
    pairs: Sequence[tuple[Candidate, Candidate]] = ()

    def every_one(self) -> list[Candidate]:
        """Return each run that is exported, once, however often it stands."""
        paired = {row.run_id: row for pair in self.pairs for row in pair}
        return [row for row, _ in self.rows] + list(paired.values())


def select(positive: Side, negative: Side, config: PipelineConfig, book: StageBook) -> Selected:
    """Take the rows of an export from what is left of its sides, and decide on those that are not taken.

    Notes
    -----
    The attempt policy is of SFT alone: a preference stands between attempts, and KTO takes all of them.
    """
    if config.kind == "preference":
        return Selected(pairs=_pairs(positive, negative, config, book))
    if config.kind == "kto":
        both = [(row, Role.KTO_TRUE) for row in positive.rows] + [(row, Role.KTO_FALSE) for row in negative.rows]
    else:
        both = [(row, Role.SFT) for row in _attempts(positive, config, book)]
    return Selected(rows=sorted(both, key=lambda row: row[0].run_id))


def _attempts(side: Side, config: PipelineConfig, book: StageBook) -> list[Candidate]:
    taken: list[Candidate] = []
    for attempts in by_prompt(side.rows, side.prompts).values():
        chosen = choose(attempts, config.attempts)
        for row in attempts:
            if chosen is None or row is chosen:
                taken.append(row)
            else:
                book.decide(row.run_id, Outcome.SUPERSEDED_ATTEMPT, {"of": chosen.run_id})
    return taken


def _pairs(
    positive: Side, negative: Side, config: PipelineConfig, book: StageBook
) -> Sequence[tuple[Candidate, Candidate]]:
    prompts = positive.prompts | negative.prompts
    found = find_pairs(positive.rows, negative.rows, prompts, config.max_pairs_per_prompt)
    for row, best in found.superseded:
        book.decide(row.run_id, Outcome.SUPERSEDED_ATTEMPT, {"of": best.run_id})
    for row in found.unpaired:
        book.decide(row.run_id, Outcome.NO_PARTNER, {})
    for row, best in found.over_limit:
        book.decide(row.run_id, Outcome.PAIR_LIMIT, {"of": best.run_id})
    return found.pairs
