"""Scored runs as a team logs them, from a seed: repeats, near copies and evaluation items among texts of their own."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

SEED: Final = 20_260_301
VOCABULARY: Final = 30_000
EVAL_ITEMS: Final = 500
BEGIN: Final = datetime(2026, 3, 1, tzinfo=UTC)
LINES_A_DAY: Final = 25_000
SOURCES: Final = ("staffing.fill", "ops.summary", "code.review", "sql.rewrite")
CATEGORIES: Final = ("accepted", "rejected", "partially_accepted", "needs_human_review")
SHARES: Final = (0.7, 0.15, 0.1, 0.05)


class Texts:
    """Sentences of words that are as unevenly frequent as those of a language (Zipf)."""

    def __init__(self, seed: int) -> None:
        self.pick = random.Random(seed)
        letters = "etaoinshrdlucmfwygpbvkxqjz"
        weights = list(itertools.accumulate(1 / (place + 1) for place in range(len(letters))))
        self._words = [
            "".join(self.pick.choices(letters, cum_weights=weights, k=self.pick.randint(2, 10)))
            for _ in range(VOCABULARY)
        ]
        self._frequencies = list(itertools.accumulate(1 / (place + 3) for place in range(VOCABULARY)))

    def of(self, words: int) -> str:
        """Return this many words, in sentences."""
        found = self.pick.choices(self._words, cum_weights=self._frequencies, k=words)
        for place in range(0, words, 14):
            found[place] = found[place].capitalize()
            found[place - 1] += "."
        return " ".join(found)


def eval_items() -> list[dict[str, str]]:
    """Return the items that some of the runs hold."""
    texts = Texts(SEED + 1)
    return [{"id": f"item-{number:04}", "prompt": texts.of(28), "answer": texts.of(24)} for number in range(EVAL_ITEMS)]


def lines(count: int) -> Iterator[dict[str, object]]:
    """Yield runs: of a hundred, 3 are exact repeats, 5 near copies, 1 holds an evaluation item, 10 are new attempts."""
    texts, items = Texts(SEED), eval_items()
    earlier: list[tuple[str, str, str]] = []
    for number in range(count):
        task, prompt, response = f"task-{number:07}", texts.of(30), texts.of(texts.pick.randint(60, 140))
        chance = texts.pick.random()
        if earlier and chance < 0.18:
            other_task, other_prompt, other_response = texts.pick.choice(earlier)
            if chance < 0.08:
                prompt, response = other_prompt, other_response + (" Again." if chance < 0.05 else "")
            else:
                task, prompt = other_task, other_prompt
        elif chance < 0.19:
            prompt = texts.pick.choice(items)["prompt"]
        if len(earlier) < 20_000:
            earlier.append((task, prompt, response))
        yield {
            "schema_version": 1,
            "run_id": f"run-{number:07}",
            "task_id": task,
            "attempt": 1 + number % 3,
            "source": SOURCES[number % 4],
            "scored_at": (BEGIN + timedelta(seconds=number)).isoformat(),
            "category": texts.pick.choices(CATEGORIES, SHARES)[0],
            "score": round(texts.pick.random(), 3),
            "scorer": {"name": "rubric", "version": "2.1.0"},
            "model": "m-large",
            "prompt": prompt,
            "response": response,
        }


def write(root: Path, count: int) -> None:
    """Write daily files below `root/scored-runs`, and `root/eval.jsonl`."""
    for day, batch in itertools.groupby(enumerate(lines(count)), key=lambda numbered: numbered[0] // LINES_A_DAY):
        folder = root / "scored-runs" / (BEGIN + timedelta(days=day)).strftime("%Y/%m/%d")
        folder.mkdir(parents=True)
        with (folder / "runs.jsonl").open("w") as file:
            file.writelines(json.dumps(line) + "\n" for _, line in batch)
    (root / "eval.jsonl").write_text("".join(json.dumps(item) + "\n" for item in eval_items()))
