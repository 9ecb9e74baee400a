from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillation.decontamination import Contact, find_contacts
from distillation.eval_index import index_eval_items
from distillation.pipeline_types import EvalItem, PipelineConfig
from distillation.texts import tokenise
from tests.distillation.runs import LONG, OTHER, decision, fates, run

WORDS = LONG.split()
ITEM = EvalItem("holdout", "long", LONG, "")
CANARY = "BENCH-CANARY-6f1c0a52-0d5e-4b7c-9a0e-5f1f0a7c2b11"


def contacts(rows: Sequence[tuple[str, str, str]], items: Sequence[EvalItem], **config: float) -> dict[int, Contact]:
    settings = PipelineConfig(**config)  # type: ignore[arg-type]
    return find_contacts(tokenise(rows), index_eval_items(items, settings), settings)


def test_coverage_is_the_share_of_tokens_inside_matched_runs() -> None:
    part = " ".join(WORDS[:9])

    found = contacts([(f"{part} and then", "", "")], [ITEM])

    assert found[0].coverage == 9 / len(WORDS)
    assert (found[0].item, found[0].how) == (ITEM, "prompt")


def test_a_run_of_words_across_two_texts_counts() -> None:
    assert contacts([(" ".join(WORDS[:4]), " ".join(WORDS[4:6]), " ".join(WORDS[6:8]))], [ITEM])[0].coverage > 0


def test_a_run_of_words_across_two_rows_does_not() -> None:
    assert contacts([(" ".join(WORDS[:4]), "", ""), (" ".join(WORDS[4:8]), "", "")], [ITEM]) == {}


def test_common_runs_count_neither_way() -> None:
    opening, own = " ".join(WORDS[:12]), " ".join(WORDS[12:])
    rows = [(f"{opening} in row {number} we go on with {number}", "", "") for number in range(11)]

    assert len(contacts(rows[:10], [ITEM])) == 10
    assert contacts(rows, [ITEM]) == {}
    # What is left of the item counts as all of it.
    assert contacts([*rows, (own, "", "")], [ITEM])[11].coverage == len(WORDS[12:]) / (len(WORDS) - 5)


@pytest.mark.parametrize("rows", [2_900, 5_700])
def test_one_percent_exactly_is_not_common(rows: int) -> None:
    every = [(LONG, "", "")] * (rows // 100) + [("x", "", "")] * (rows - rows // 100)

    assert len(contacts(every, [ITEM])) == rows // 100
    assert contacts([(LONG, "", ""), *every], [ITEM]) == {}


def test_long_answers_count_and_shorter_ones_do_not() -> None:
    answers = [" ".join(OTHER.split()[:count]) for count in (19, 20)]
    items = [EvalItem("e", str(len(answer.split())), LONG, answer) for answer in answers]

    found = contacts([("x", "", OTHER)], items)

    assert (found[0].item.item_id, found[0].how) == ("20", "answer")
    assert contacts([("x", "", OTHER)], items[:1]) == {}


@pytest.mark.parametrize(
    ("instruction", "context", "response", "is_held"),
    [
        ("What is the capital of Australia?", "", "Canberra", True),
        ("Tell me: WHAT IS the capital, of australia now", "", "It is canberra.", True),
        ("See the note", "what is the capital of australia", "Canberra", True),
        ("What is the capital of", "Australia", "Canberra", False),
        ("x", "", "What is the capital of Australia? Canberra", False),
        ("What is the capital of Australia?", "", "Sydney", False),
        ("What is the capital of Australia?", "Canberra", "See above", False),
    ],
)
def test_a_short_question_counts_as_a_phrase_with_its_answer(
    instruction: str, context: str, response: str, is_held: bool
) -> None:
    item = EvalItem("e", "capital", "What is the capital of Australia?", "Canberra")

    found = contacts([(instruction, context, response)], [item])

    assert [(one.item, one.how, one.coverage) for one in found.values()] == [(item, "short_item", 1.0)] * is_held


@pytest.mark.parametrize(
    ("instruction", "is_held"), [("two plus TWO", True), ("what is two plus two", False), ("two plus", False)]
)
def test_a_tiny_question_must_be_the_whole_instruction(instruction: str, is_held: bool) -> None:
    assert bool(contacts([(instruction, "", "four")], [EvalItem("e", "tiny", "Two plus two?", "four")])) is is_held


def test_a_short_question_without_an_answer_counts_alone() -> None:
    assert contacts([("who goes there now", "", "x")], [EvalItem("e", "i", "Who goes there?", "")]) == {}
    assert contacts([("Who goes there", "", "x")], [EvalItem("e", "i", "Who goes there?", "")]) != {}


def test_items_of_one_question_and_several_answers_are_told_apart() -> None:
    items = [EvalItem("e", answer, "what is the best of all", answer) for answer in ("red", "blue green", "")]

    found = contacts([("what is the best of all", "", "deep blue green")], items[:2])

    assert found[0].item.item_id == "blue green"


def test_items_without_words_hold_nothing() -> None:
    assert contacts([("a", "", "b"), ("", "", "")], [EvalItem("e", "i", "?", "!")]) == {}


@pytest.mark.parametrize("field", ["system", "context", "prompt", "response"])
@pytest.mark.parametrize("listed", [True, False])
def test_a_canary_anywhere_contaminates(field: str, listed: bool) -> None:
    item = EvalItem("e", "guarded", LONG, "", canary=CANARY)
    body: dict[str, Any] = {"prompt": "p", "response": "r", field: f"see {CANARY.lower()} here"}
    runs = [run("a", **body)]

    found = decision("a", runs, [item] if listed else [])

    assert found.outcome == "contaminated"
    assert {name: found.evidence[name] for name in ("of", "how", "coverage")} == {
        "of": "guarded" if listed else "canary",
        "how": "canary",
        "coverage": 1.0,
    }


def test_talk_of_a_canary_does_not() -> None:
    assert fates([run("a", prompt="a canary in a coal mine", response="6f1c0a52")]) == {"a": "exported"}


def test_half_of_an_item_contaminates_and_a_fifth_is_marked() -> None:
    item = EvalItem("e", "twenty", " ".join(WORDS[:20]), "")
    runs = [run(str(count), response=" ".join(WORDS[:count])) for count in (8, 9, 10)]

    assert fates(runs, [item], near_duplicate_jaccard=1.0) == {"8": "exported", "9": "exported", "10": "contaminated"}
    assert decision("9", runs, [item]).evidence == {"suspicious": 0.45, "suspicious_of": "twenty"}


@given(
    st.lists(st.lists(st.sampled_from("abc"), max_size=14).map(" ".join), min_size=1, max_size=14),
    st.lists(st.lists(st.sampled_from("abc"), min_size=4, max_size=10).map(" ".join), min_size=1, max_size=3),
)
def test_coverage_is_that_of_brute_force(texts: list[str], prompts: list[str]) -> None:
    size, floor = 4, 3
    rows = [{tuple(text.split()[at : at + size]) for at in range(len(text.split()) - size + 1)} for text in texts]
    items = [EvalItem("e", f"{number:02}", prompt, "") for number, prompt in enumerate(prompts)]

    found = contacts([(text, "", "") for text in texts], items, decontaminate_ngram=size, common_ngram_floor=floor)

    for place, own in enumerate(rows):
        best = 0.0
        for prompt in prompts:
            words = prompt.split()
            grams = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
            counted = [at for at, gram in enumerate(grams) if sum(gram in row for row in rows) <= floor]
            inside = {at + step for at in counted if grams[at] in own for step in range(size)}
            total = {at + step for at in counted for step in range(size)}
            best = max(best, len(inside) / len(total) if total else 0.0)
        assert (found[place].coverage if place in found else 0.0) == best
