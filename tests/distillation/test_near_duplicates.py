"""The near-duplicate stage against brute force: pairs of small worlds of words, compared set by set."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillation.groups import Groups
from distillation.minhash import has_lookalike, miss_probability
from distillation.near_duplicates import NearDuplicates, find_links, find_near_duplicates
from distillation.texts import Shingles, shingles, tokenise

THRESHOLD = 0.8


def sets_of(texts: list[str]) -> Shingles:
    return shingles(tokenise([(text, "", "") for text in texts]), 5)


def brute_set(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[place : place + 5]) for place in range(max(1, len(words) - 4))} if words else set()


def brute_jaccard(one: str, other: str) -> float:
    first, second = brute_set(one), brute_set(other)
    return len(first & second) / len(first | second) if first | second else 0.0


def fallen(found: NearDuplicates) -> dict[int, tuple[int, float]]:
    return {near.row: (near.of, near.jaccard) for near in (*found.of_contaminated, *found.of_kept)}


def brute(texts: list[str], is_contaminated: list[bool]) -> dict[int, tuple[int, float]]:
    kept: list[int] = []
    found: dict[int, tuple[int, float]] = {}
    bad = [place for place, is_bad in enumerate(is_contaminated) if is_bad]
    for row in (row for row in range(len(texts)) if not is_contaminated[row]):
        near = [(other, brute_jaccard(texts[row], texts[other])) for other in bad]
        close = next(((other, jaccard) for other, jaccard in near if jaccard >= THRESHOLD), None)
        if close is None:
            near = [(other, brute_jaccard(texts[row], texts[other])) for other in kept]
            close = max(near, key=lambda found: (found[1], -found[0]), default=None)
        if close is not None and close[1] >= THRESHOLD:
            found[row] = close
        else:
            kept.append(row)
    return found


def worlds() -> st.SearchStrategy[list[str]]:
    """Texts that are changed copies of each other: every degree of likeness, chains, repeats, rows without words."""
    word = st.sampled_from("abcdefgh")

    def changed(base: list[str]) -> st.SearchStrategy[str]:
        cut = st.tuples(st.integers(0, 3), st.integers(0, 3), st.lists(word, max_size=2))
        return cut.map(lambda how: " ".join(base[how[0] : len(base) - how[1]] + how[2]))

    bases = st.lists(word, min_size=0, max_size=40)
    family = bases.flatmap(lambda base: st.lists(changed(base), min_size=1, max_size=8))
    return st.lists(family, min_size=1, max_size=4).map(lambda families: list(itertools.chain(*families)))


@given(worlds(), st.data())
def test_rows_fall_as_by_brute_force(texts: list[str], data: st.DataObject) -> None:
    is_contaminated = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)))

    found = find_near_duplicates(sets_of(texts), np.array(is_contaminated, np.bool_), THRESHOLD)

    assert fallen(found) == brute(texts, is_contaminated)


@given(worlds())
def test_links_connect_all_that_is_alike_and_nothing_else(texts: list[str]) -> None:
    links = find_links(sets_of(texts), THRESHOLD)

    assert all(brute_jaccard(texts[one], texts[other]) >= THRESHOLD for one, other in links)
    groups: Groups[int] = Groups()
    for one, other in links:
        groups.link(one, other)
    for one, other in itertools.combinations(range(len(texts)), 2):
        if brute_jaccard(texts[one], texts[other]) >= THRESHOLD:
            assert groups.name_of(one) == groups.name_of(other)


def test_exactly_the_threshold_is_too_close() -> None:
    # Eight runs of five in common, ten in all.
    base = [f"w{number}" for number in range(13)]
    one, other = " ".join(base[:13]), " ".join([*base[1:14], "x"])

    assert brute_jaccard(one, other) == 0.8
    assert fallen(find_near_duplicates(sets_of([one, other]), np.zeros(2, np.bool_), 0.8)) == {1: (0, 0.8)}


def test_a_row_that_fell_takes_no_other_with_it() -> None:
    words = [f"w{number}" for number in range(60)]
    chain = [" ".join(words[:50]), " ".join(words[3:53]), " ".join(words[6:56])]
    assert brute_jaccard(chain[0], chain[2]) < THRESHOLD < brute_jaccard(chain[1], chain[2])

    found = find_near_duplicates(sets_of(chain), np.zeros(3, np.bool_), THRESHOLD)

    assert [near.row for near in found.of_kept] == [1]
    assert sorted(sorted(link) for link in found.links) == [[0, 1], [1, 2]]


def test_rows_without_words_are_no_duplicates() -> None:
    found = find_near_duplicates(sets_of(["", "!", "one two", "?"]), np.zeros(4, np.bool_), THRESHOLD)

    assert fallen(found) == {}


def test_short_rows_are_compared_as_a_whole() -> None:
    found = find_near_duplicates(sets_of(["two plus two", "two, plus two", "two plus"]), np.zeros(3, np.bool_), 0.8)

    assert fallen(found) == {1: (0, 1.0)}


def test_a_pair_at_the_threshold_is_hardly_ever_overlooked() -> None:
    assert miss_probability(THRESHOLD) < 1e-9
    pick = random.Random(7)
    texts = []
    for number in range(2_000):
        base = [f"{number}x{pick.random()}" for _ in range(44)]
        texts += [" ".join(base), " ".join(base[:36] + [f"{number}y{place}" for place in range(4)])]
    jaccards = [brute_jaccard(one, other) for one, other in zip(texts[::2], texts[1::2], strict=True)]
    assert max(jaccards) < 0.8

    # Pairs a little below 0.8 are found almost as surely as those above.
    assert has_lookalike(sets_of(texts)).mean() > 0.999


def test_an_opening_that_all_rows_share_makes_none_alike() -> None:
    opening = " ".join(f"common{number}" for number in range(60))
    texts = [f"{opening} {' '.join(f'own{row}x{place}' for place in range(10))}" for row in range(1_500)]
    assert 0.6 < brute_jaccard(texts[0], texts[1]) < THRESHOLD

    assert fallen(find_near_duplicates(sets_of(texts), np.zeros(len(texts), np.bool_), THRESHOLD)) == {}


@pytest.mark.parametrize("copies", [3_000])
def test_thousands_of_near_copies_leave_one(copies: int) -> None:
    body = " ".join(f"word{number}" for number in range(100))
    texts = [f"{body} {number}" for number in range(copies)]

    found = find_near_duplicates(sets_of(texts), np.zeros(copies, np.bool_), THRESHOLD)

    assert [near.of for near in found.of_kept] == [0] * (copies - 1)
