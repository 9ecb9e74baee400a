from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillation.texts import (
    CJK,
    Hashes,
    Places,
    gram_hashes,
    joined,
    normalise,
    shingles,
    tokenise,
    word_hashes,
    words,
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Two plus_two, 42?", ["two", "plus_two", "42"]),
        ("ﬁrst ﬂoor oﬃce…", ["first", "floor", "office"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("请总结ABC报告。", ["请", "总", "结", "abc", "报", "告"]),
        ("カタカナ ｶﾀ ひ", ["カ", "タ", "カ", "ナ", "カ", "タ", "ひ"]),
        ("한국어 말", ["한국어", "말"]),
        ("𠮷野家", ["𠮷", "野", "家"]),
        ("、。・「」", []),
        ("don't re-use", ["don", "t", "re", "use"]),
        ("cafe\u0301", ["café"]),
        ("हिन्दी", ["ह", "न", "द"]),
        ("a\u0000b\x1fc", ["a", "b", "c"]),
    ],
)
def test_words_are_cut_after_nfkc_and_case_folding(text: str, tokens: list[str]) -> None:
    assert [word.decode() for word in words(text)] == tokens


@given(st.text())
def test_words_are_those_of_the_plain_expression(text: str) -> None:
    folded = unicodedata.normalize("NFKC", text).casefold()

    expected = [word for word in re.findall(rf"[{CJK}]|[^\W{CJK}]+", folded) if re.fullmatch(r"\w+", word)]

    assert [word.decode() for word in words(text)] == expected


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_short_way_for_ascii_cuts_like_the_long_one(text: str) -> None:
    assert [word.decode() for word in words(text)] == re.findall(r"\w+", text.lower())


@pytest.mark.parametrize(
    ("one", "other"), [("  A\tb\n c ", "a B C"), ("ﬁn", "FIN"), ("x\u00a0y", "x y"), ("Ｆｕｌｌ", "full")]
)
def test_texts_that_differ_in_case_blanks_or_form_are_the_same(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


def test_runs_of_words_have_the_same_hash_only_if_they_are_the_same() -> None:
    hashes = gram_hashes(word_hashes("a b c a b d b a c"), 2).tolist()

    assert hashes[0] == hashes[3]
    assert len(set(hashes)) == len(hashes) - 1


def test_a_run_of_another_length_has_another_hash() -> None:
    assert gram_hashes(word_hashes("a"), 1)[0] != word_hashes("a")[0]
    assert not set(gram_hashes(word_hashes("a a a"), 2).tolist()) & set(gram_hashes(word_hashes("a a a"), 3).tolist())


def test_a_text_shorter_than_a_run_has_none() -> None:
    assert len(gram_hashes(word_hashes("a b"), 3)) == 0


@given(st.lists(st.tuples(*[st.lists(st.sampled_from("abc"), max_size=7).map(" ".join)] * 3), max_size=12))
def test_shingles_are_the_runs_of_each_row_by_itself(rows: list[tuple[str, str, str]]) -> None:
    tokens = tokenise(rows)
    found = shingles(tokens, 5)
    prompts = shingles(tokens, 5, np.arange(len(rows), dtype=np.int64)[::-1], prompts=True)

    for place, row in enumerate(rows):
        assert _row(found.hashes, found.starts, place) == _runs(" ".join(row))
        assert _row(prompts.hashes, prompts.starts, len(rows) - 1 - place) == _runs(" ".join(row[:2]))


def _row(hashes: Hashes, starts: Places, place: int) -> list[int]:
    return [int(hashed) for hashed in hashes[starts[place] : starts[place + 1]]]


def _runs(text: str) -> list[int]:
    own = word_hashes(text)
    return [int(hashed) for hashed in gram_hashes(own, min(5, len(own)))] if len(own) else []


def test_many_rows_are_hashed_as_few() -> None:
    rows = [(f"question {number} of a long list of questions", "", f"answer {number}") for number in range(20_000)]

    every, last = shingles(tokenise(rows), 5), shingles(tokenise(rows[-1:]), 5)

    assert every.hashes[-len(last.hashes) :].tolist() == last.hashes.tolist()


def test_joined_rows_stand_in_order() -> None:
    one, other = (shingles(tokenise([(text, "", "")]), 2) for text in ("a b c", "d e"))

    both = joined([one, other])

    assert both.starts.tolist() == [0, 2, 3]
    assert both.hashes.tolist() == [*one.hashes.tolist(), *other.hashes.tolist()]
