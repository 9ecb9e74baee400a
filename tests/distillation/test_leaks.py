from __future__ import annotations

import pytest

from distillation.pipeline_types import Run
from tests.distillation.runs import decision, export, fates, run

BLOCKED = ["rejected", "needs_human_review", "unheard_of"]


def chat(run_id: str, said: str, category: str = "accepted", role: str = "assistant") -> Run:
    turns = [("user", f"hello {run_id}"), (role, said), ("user", "why"), ("assistant", f"because {run_id}")]
    return run(run_id, category=category, messages=[{"role": role, "content": content} for role, content in turns])


@pytest.mark.parametrize("category", BLOCKED)
def test_an_answer_that_was_blocked_for_the_task_is_a_label_conflict(category: str) -> None:
    runs = [run("a", task="t", response="No  WAY"), run("b", task="t", category=category, response="no way")]

    found = decision("a", runs)

    assert (found.outcome, found.evidence) == ("label_conflict", {"blocked_run": "b"})


def test_the_same_answer_to_another_task_is_none() -> None:
    runs = [run("a", task="t", response="no"), run("b", task="u", category="rejected", response="no")]

    assert fates(runs)["a"] == "exported"


def test_a_disputed_run_blocks_by_the_category_it_has() -> None:
    runs = [
        run("a", task="t", response="no"),
        run("b", task="t", category="rejected", response="no", disputed=True),
    ]

    assert fates(runs) == {"a": "label_conflict", "b": "disputed"}


@pytest.mark.parametrize("category", BLOCKED)
def test_an_earlier_answer_that_was_blocked_anywhere_leaks(category: str) -> None:
    runs = [chat("a", "Wrong  answer"), run("b", category=category, response="wrong answer")]

    assert decision("a", runs).evidence == {"blocked_run": "b"}
    assert fates(runs)["a"] == "context_leak"


def test_a_user_may_quote_a_blocked_answer() -> None:
    assert fates([chat("a", "wrong", role="user"), run("b", category="rejected", response="wrong")])["a"] == "exported"


def test_a_rejected_row_is_held_back_only_by_an_answer_under_review() -> None:
    runs = [
        run("a", task="t", category="rejected", response="no"),
        run("b", task="t", category="accepted", response="no"),
        run("c", task="u", category="rejected", response="hm"),
        run("d", task="u", category="needs_human_review", response="hm"),
    ]

    assert fates(runs, kind="kto") == {
        "a": "exported",
        "b": "label_conflict",
        "c": "label_conflict",
        "d": "firewall_blocked",
    }


def test_an_answer_under_review_stands_in_no_history_of_either_side() -> None:
    blocked = run("z", category="needs_human_review", response="secret thought")
    runs = [blocked, chat("a", "secret thought"), chat("b", "secret thought", "rejected")]

    assert {row.run_id for row in export(runs, kind="kto").rows} == set()
