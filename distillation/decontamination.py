"""Which rows hold questions or answers of evaluation sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distillation.eval_index import EvalIndex, How, Reference, ShortItem, tokens_inside
from distillation.pipeline_types import EvalItem, PipelineConfig
from distillation.texts import Hashes, Places, Tokens, gram_hashes

CHUNK_TOKENS = 1 << 20
_FILTER_BITS = 20


@dataclass(frozen=True, slots=True)
class Contact:
    """A row and the evaluation item it holds most of.

    Attributes
    ----------
    item, how
        Which item, and by what it was recognised.
    coverage
        0 to 1: which part of the item's counted tokens stands in the row.
    """

    item: EvalItem
    how: How
    coverage: float


def find_contacts(tokens: Tokens, index: EvalIndex, config: PipelineConfig) -> dict[int, Contact]:
    """Find the rows that share runs of words with evaluation items, or hold a short item with its answer.

    Parameters
    ----------
    tokens
        The rows: all that are candidates on one side, for the share of rows decides what is boilerplate.
    index
        The evaluation items.
    config
        Sizes and limits.

    Returns
    -------
    dict
        Row → its closest item: highest coverage, then prompt before answer before short item, then the order of the
        index. Rows without one are not named.
    """
    size = config.decontaminate_ngram
    grams = _Grams(index.references)
    places, found = find_runs(tokens, grams.unique, size)
    rows = _rows_of(tokens, places)
    rows, found = _once(rows, found, len(grams.unique))
    often = np.bincount(found, minlength=len(grams.unique))
    # Rounded, because 1 % of 2,900 rows is 29 and not a little less.
    common = max(float(config.common_ngram_floor), round(config.common_ngram_share * len(tokens), 6))
    is_counted = often <= common
    keep = is_counted[found]
    contacts = {row: grams.closest(matched, is_counted, size) for row, matched in _by_row(rows[keep], found[keep])}
    for short, row in _short_items(tokens, index.short_items):
        if row not in contacts or contacts[row].coverage < 1:
            contacts[row] = Contact(short.item, "short_item", 1.0)
    return contacts


class _Grams:
    """The distinct runs of all references, and which reference has which."""

    def __init__(self, references: Sequence[Reference]) -> None:
        self.references = sorted(references, key=lambda reference: reference.how == "answer")
        every = [reference.grams for reference in self.references]
        flat = np.concatenate(every) if every else np.empty(0, np.uint64)
        self.unique, numbers = np.unique(flat, return_inverse=True)
        self.numbers = np.split(numbers, np.cumsum([len(grams) for grams in every])[:-1]) if every else []
        self.holders: dict[int, set[int]] = defaultdict(set)
        for place, own in enumerate(self.numbers):
            for number in own.tolist():
                self.holders[number].add(place)

    def closest(self, matched: Places, is_counted: NDArray[np.bool_], size: int) -> Contact:
        """Return the reference that is covered most by these counted runs, of which there is at least one."""

        def coverage(place: int) -> float:
            counted = is_counted[self.numbers[place]]
            inside = counted & np.isin(self.numbers[place], matched)
            return tokens_inside(inside, size) / tokens_inside(counted, size)

        holders = sorted(set().union(*(self.holders[number] for number in matched.tolist())))
        share, place = max(((coverage(place), place) for place in holders), key=lambda found: (found[0], -found[1]))
        return Contact(self.references[place].item, self.references[place].how, share)


def find_runs(tokens: Tokens, wanted: Hashes, size: int) -> tuple[Places, Places]:
    """Find runs of words in all rows.

    Parameters
    ----------
    tokens
        The rows. Not modified.
    wanted
        Shape (w,), uint64, ascending: the hashes of the runs to look for.
    size
        Their length in tokens.

    Returns
    -------
    places, found
        Shape (h,), int64: where a run begins in `tokens.hashes`, ascending, and its place in `wanted`.

    Notes
    -----
    A table of 2²⁰ bits lets one in a thousand of the other runs through to the binary search.
    """
    places, found = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    if len(wanted):
        shift = np.uint64(64 - _FILTER_BITS)
        may_be = np.zeros(1 << _FILTER_BITS, np.bool_)
        may_be[wanted >> shift] = True
        for first in range(0, len(tokens.hashes), CHUNK_TOKENS):
            hashes = gram_hashes(tokens.hashes[first : first + CHUNK_TOKENS + size - 1], size)
            near = np.flatnonzero(may_be[hashes >> shift])
            spot = np.minimum(np.searchsorted(wanted, hashes[near]), len(wanted) - 1)
            is_one = wanted[spot] == hashes[near]
            places.append(near[is_one] + first)
            found.append(spot[is_one])
    every, which = np.concatenate(places), np.concatenate(found)
    inside = every + size <= tokens.starts[_rows_of(tokens, every) + 1]
    return every[inside], which[inside]


def _rows_of(tokens: Tokens, places: Places) -> Places:
    return np.searchsorted(tokens.starts, places, side="right").astype(np.int64) - 1


def _once(rows: Places, found: Places, count: int) -> tuple[Places, Places]:
    """Return each (row, run) once, in ascending order."""
    keys = np.unique(rows * max(1, count) + found)
    return keys // max(1, count), keys % max(1, count)


def _by_row(rows: Places, found: Places) -> Iterator[tuple[int, Places]]:
    firsts = np.flatnonzero(np.diff(rows, prepend=-1))
    # Without any, split still gives one empty part.
    yield from zip(rows[firsts].tolist(), np.split(found, firsts[1:]), strict=False)


def _short_items(tokens: Tokens, short_items: Sequence[ShortItem]) -> Iterator[tuple[ShortItem, int]]:
    """Yield each short item with each row that holds it, item by item."""
    rows_with: dict[tuple[int, int], list[int]] = {}
    for size in sorted({len(short.prompt) for short in short_items}):
        own = {int(gram_hashes(short.prompt, size)[0]) for short in short_items if len(short.prompt) == size}
        wanted = np.array(sorted(own), np.uint64)
        places, found = find_runs(tokens, wanted, size)
        rows = _rows_of(tokens, places)
        in_instruction = places + size <= tokens.contexts[rows]
        in_context = (places >= tokens.contexts[rows]) & (places + size <= tokens.responses[rows])
        is_whole = tokens.contexts[rows] - tokens.starts[rows] == size
        for number, hashed in enumerate(wanted.tolist()):
            held = (found == number) & (in_instruction | in_context)
            rows_with[size, hashed] = np.unique(rows[held]).tolist()
            rows_with[-size, hashed] = np.unique(rows[held & in_instruction & is_whole]).tolist()
    for short in short_items:
        size = len(short.prompt)
        key = (-size if short.is_whole_instruction else size, int(gram_hashes(short.prompt, size)[0]))
        for row in rows_with[key]:
            if _holds(tokens.hashes[tokens.responses[row] : tokens.starts[row + 1]], short.answer):
                yield short, row


def _holds(text: Hashes, phrase: Hashes) -> bool:
    """Say whether a phrase stands in a text, token for token."""
    if not len(phrase):
        return True
    begins = np.flatnonzero(text[: len(text) - len(phrase) + 1] == phrase[0]) if len(text) >= len(phrase) else ()
    return any(np.array_equal(text[place : place + len(phrase)], phrase) for place in begins)
