"""The pipeline against the rule book in slow motion: on the sample, and on runs in which everything collides."""

from __future__ import annotations

import random
from typing import Any

import pytest

from distillation.pipeline import run_pipeline
from distillation.pipeline_types import EvalItem, PipelineConfig, Run
from tests.distillation.rule_book import Fates, expected_fates
from tests.distillation.runs import LONG, OTHER, run
from tests.distillation.sample_runs import sample_items, sample_runs

OPENING = "You are a careful clerk and you must answer with short verified facts only."
QUESTION = f"{OPENING} Which clause of the contract decides who pays the premium when a worker falls ill?"
ANSWER = (
    "Move the filter from the first clause into the second so that vendors without any matching order keep a row "
    "with empty columns instead of being removed."
)
RIVER = "Name the river that separates the freight yard from the silos"
BROKEN = RIVER.replace("the freight", "the very old freight")  # no run of 8 words is left
ITEMS = [
    EvalItem("e", "e1", QUESTION, ANSWER),
    EvalItem("e", "e2", "What is the capital of Australia?", "Canberra"),
    EvalItem("e", "e3", "Two plus two?", "four"),
    EvalItem("e", "e4", RIVER, ""),
    EvalItem("e", "e5", "请总结这份仓库报告并指出风险", ""),
]
ENDS = (
    "",
    "",
    "",
    " a.b@example.org",
    " AKIAIOSFODNN7EXAMPLE",
    " LAKEHOUSE-CANARY-6f1c0a52-0d5e-4b7c-9a0e-5f1f0a7c2b11",
)
WORDS = (
    "Elm",
    "sorts",
    "stale",
    "ledger",
    "in",
    "ﬁrst",
    "because",
    "ＦＵＬＬ",
    "crates",
    "straße",
    "库存",
    "don't",
    "x_y",
    "42",
)
EVIDENCE = ("of", "how", "coverage", "jaccard", "suspicious", "redacted")


def words(pick: random.Random, count: int) -> str:
    return " ".join(pick.choices(WORDS, k=count))


def varied(pick: random.Random, text: str) -> str:
    """The same text, or a piece of it, spelled otherwise, or with a few other words."""
    own = text.split(" ")
    begin = pick.randrange(len(own))
    for _ in range(pick.randrange(4)):
        own[pick.randrange(len(own))] = pick.choice(WORDS)
    changed = (" ".join(own), f"{text} {words(pick, 5)}", f"{words(pick, 2)} {' '.join(text.split(' ')[begin:])}")
    return pick.choice([text, text.upper(), f"  {text.replace(' ', '  ')}", text.replace(".", " !"), *changed])


def some_runs(pick: random.Random, count: int) -> list[Run]:
    texts = [LONG, OTHER, QUESTION, ANSWER, *(item.prompt for item in ITEMS), "four", "Canberra", "Two plus two"]
    texts += [words(pick, pick.choice([1, 3, 6, 20, 40])) for _ in range(count // 2)]
    runs: list[Run] = []
    answers = [OTHER]
    for number in range(count):
        prompt, answer = varied(pick, pick.choice(texts)), varied(pick, pick.choice(texts)) + pick.choice(ENDS)
        answers.append(answer)
        prompt = f"{OPENING} {prompt}" if pick.random() < 0.2 else prompt
        turns = [
            (pick.choice(["user", "assistant", "system"]), pick.choice([*texts, *answers]))
            for _ in range(pick.randrange(4))
        ]
        turns += [("user", prompt)] * (pick.random() < 0.9) + [("assistant", answer)] * (pick.random() < 0.9)
        body: dict[str, Any] = {"prompt": prompt, "response": answer, "context": pick.choice([None, None, *texts])}
        if turns and pick.random() < 0.25:
            body = {"messages": [{"role": role, "content": text} for role, text in turns]}
        task = f"task-{pick.randrange(count // 2)}"
        if pick.random() < 0.05:
            body = {"prompt": pick.choice([RIVER, BROKEN]), "response": f"{LONG} {OTHER}"}
        elif pick.random() < 0.1:
            item = pick.choice(ITEMS)
            body = {"prompt": varied(pick, item.prompt), "response": f"{item.answer} {words(pick, 9)}"}
        if runs and pick.random() < 0.5:  # another attempt at an earlier run
            before = pick.choice(runs)
            body, task = {**before.content}, pick.choice([task, before.task_id])
            if "response" in body:
                body["response"] = pick.choice([answer, varied(pick, str(body["response"]))])
        facts: dict[str, Any] = {"score": pick.choice([None, 0.0, 0.5, 0.9]), "attempt": pick.randint(1, 3)}
        facts |= {"minutes": pick.randrange(3), "disputed": pick.random() < 0.05}
        category = pick.choice(["accepted"] * 6 + ["partially_accepted", "rejected", "rejected", "needs_human_review"])
        runs.append(run(f"run-{number:03}", task=task, category=category, **facts, **body))
    return runs


def fates(runs: list[Run], items: list[EvalItem], config: PipelineConfig) -> Fates:
    found: Fates = {}
    for decision in run_pipeline(runs, items, config).decisions:
        place = {"split": decision.split, "group": decision.group} if decision.split else {}
        evidence = {name: decision.evidence[name] for name in EVIDENCE if name in decision.evidence}
        found[decision.run_id] = {"outcome": decision.outcome.value, **place, **evidence}
    return found


def test_the_sample_comes_out_as_the_rule_book_says() -> None:
    runs, items, config = list(sample_runs()), list(sample_items()), PipelineConfig()

    assert fates(runs, items, config) == expected_fates(runs, items, config)


@pytest.mark.parametrize("seed", range(40))
def test_colliding_runs_come_out_as_the_rule_book_says(seed: int) -> None:
    pick = random.Random(seed)
    runs = some_runs(pick, pick.choice([8, 60, 120]))
    config = PipelineConfig(include_partial=pick.random() < 0.5, common_ngram_floor=pick.choice([2, 10]))

    assert fates(runs, ITEMS, config) == expected_fates(runs, ITEMS, config)


def test_these_runs_meet_every_fate() -> None:
    pick = random.Random(3)
    met = [fate for _ in range(20) for fate in fates(some_runs(pick, 60), ITEMS, PipelineConfig()).values()]

    assert len({fate["outcome"] for fate in met}) == 13
    assert {fate["how"] for fate in met if "how" in fate} == {"canary", "prompt", "answer", "short_item"}
    assert {name for fate in met for name in fate} == {"outcome", "split", "group", *EVIDENCE}
