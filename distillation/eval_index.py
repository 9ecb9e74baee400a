"""What of the evaluation sets may not stand in training text, as hashes of runs of words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from distillation.pipeline_types import EvalItem, PipelineConfig
from distillation.texts import Hashes, gram_hashes, normalise, word_hashes

How: TypeAlias = Literal["canary", "prompt", "answer", "short_item"]

WHOLE_INSTRUCTION_BELOW: Final = 4
"""Tokens: a shorter question says nothing as a phrase, so it must be the whole instruction."""
# A canary that no listed item names is known by its form: the word, then a GUID, as benchmarks print theirs.
_CANARY = re.compile(
    r"canary[\W_]{0,3}(?:guid|string|id)?[\W_]{0,3}[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)
UNLISTED_CANARY = EvalItem(eval_set="canary", item_id="canary", prompt="", answer="")


@dataclass(frozen=True, slots=True)
class Reference:
    """A prompt or an answer that is long enough to be recognised by its runs of words.

    Attributes
    ----------
    item, how
        Of which evaluation item it is what.
    grams
        Shape (tokens - size + 1,), uint64: the hash of the run that begins at each token.
    """

    item: EvalItem
    how: How
    grams: Hashes


@dataclass(frozen=True, slots=True)
class ShortItem:
    """A question too short for that: it counts only together with its answer.

    Attributes
    ----------
    item
        The evaluation item.
    prompt, answer
        Shape (tokens,), uint64: the hashes of their tokens. Without an answer the question alone counts.
    """

    item: EvalItem
    prompt: Hashes
    answer: Hashes

    @property
    def is_whole_instruction(self) -> bool:
        return len(self.prompt) < WHOLE_INSTRUCTION_BELOW


@dataclass(frozen=True, slots=True)
class EvalIndex:
    """All evaluation items, in the order of their sets and ids."""

    references: Sequence[Reference]
    short_items: Sequence[ShortItem]
    canaries: Sequence[tuple[str, EvalItem]]  # in normal form

    def find_canary(self, normal_text: str) -> EvalItem | None:
        """Return the item whose canary stands in a text in normal form, or one for all canaries that are not listed."""
        for canary, item in self.canaries:
            if canary in normal_text:
                return item
        if "canary" in normal_text and _CANARY.search(normal_text):
            return UNLISTED_CANARY
        return None


def index_eval_items(items: Sequence[EvalItem], config: PipelineConfig) -> EvalIndex:
    """Prepare evaluation items, in whatever order they come, for `decontamination.find_contaminated`."""
    references: list[Reference] = []
    short_items: list[ShortItem] = []
    canaries: dict[str, EvalItem] = {}
    size = config.decontaminate_ngram
    for item in sorted(items, key=lambda item: (item.eval_set, item.item_id, item.prompt, item.answer, item.canary)):
        prompt, answer = word_hashes(item.prompt), word_hashes(item.answer)
        if len(prompt) >= size:
            references.append(Reference(item, "prompt", gram_hashes(prompt, size)))
        elif len(prompt):
            short_items.append(ShortItem(item, prompt, answer))
        if len(answer) >= max(size, config.answer_min_tokens):
            references.append(Reference(item, "answer", gram_hashes(answer, size)))
        if canary := normalise(item.canary):
            canaries.setdefault(canary, item)
    return EvalIndex(references, short_items, list(canaries.items()))


def tokens_inside(is_matched: np.ndarray[tuple[int], np.dtype[np.bool_]], size: int) -> int:
    """Count the tokens that lie inside the matched ones of the runs of `size` tokens that begin at each place."""
    edges = np.zeros(len(is_matched) + size, np.int64)
    edges[: len(is_matched)] += is_matched
    edges[size:] -= is_matched
    return int(np.count_nonzero(np.cumsum(edges)))
