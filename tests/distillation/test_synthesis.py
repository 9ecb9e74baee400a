from __future__ import annotations

from typing import Any

import pytest

from distillation.pipeline_types import Json, Sample, Turn
from distillation.synthesis import NotText, synthesise
from tests.distillation.runs import decision, run


def chat(*turns: tuple[str, str], **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns], **fields}


def test_prompt_context_and_response_are_taken_as_they_are() -> None:
    content: dict[str, Json] = {"prompt": " p ", "response": "r\n", "context": "c", "system": "s"}

    assert synthesise("x", content) == Sample("s", (), "c", " p ", "r\n")


def test_missing_and_null_texts_are_empty() -> None:
    assert synthesise("x", {"prompt": "p", "response": "r", "context": None}) == Sample("", (), "", "p", "r")


def test_the_last_user_turn_is_the_instruction_and_earlier_turns_the_context() -> None:
    content = chat(("system", "s"), ("user", "1"), ("assistant", "2"), ("user", "3"), ("assistant", "4"))

    assert synthesise("x", content) == Sample("s", (Turn("user", "1"), Turn("assistant", "2")), "", "3", "4")


def test_system_texts_of_field_and_turns_are_joined_without_repeating() -> None:
    turns = (("system", "a"), ("user", "q"), ("system", "b"), ("assistant", "r"))

    both, same = synthesise("x", chat(*turns, system="f")), synthesise("x", chat(*turns, system="a"))

    assert [found.system for found in (both, same) if found is not None] == ["f\n\na\n\nb", "a\n\nb"]


@pytest.mark.parametrize(
    "turns",
    [
        [("user", "q")],
        [("assistant", "a")],
        [("system", "s"), ("assistant", "a")],
        [("user", "q"), ("assistant", "a"), ("user", "again")],
    ],
)
def test_a_conversation_without_question_or_answer_fails(turns: list[tuple[str, str]]) -> None:
    assert synthesise("x", chat(*turns)) is None
    assert decision("a", [run("a", **chat(*turns))]).outcome == "synthesis_failed"


def test_a_source_may_have_a_template_of_its_own() -> None:
    sample = Sample("", (), "", "made", "so")

    assert synthesise("x", {}, {"x": lambda content: sample}) is sample


@pytest.mark.parametrize("name", ["context", "system"])
def test_a_field_that_is_no_text_fails_and_is_named(name: str) -> None:
    content: dict[str, Any] = {"prompt": "p", "response": "r", name: ["a"]}
    with pytest.raises(NotText):
        synthesise("x", content)

    found = decision("a", [run("a", **content)])

    assert (found.outcome, found.evidence) == ("synthesis_failed", {"field": name})
