"""The rules of an SFT export a second time, word for word and slowly: what the pipeline is held against.

Shares no code with the pipeline but its types: sets of words instead of hashes, every pair of rows instead of an index.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from distillation.pipeline_types import EvalItem, PipelineConfig, Run

Words = tuple[str, ...]
Fates = dict[str, dict[str, Any]]
NEVER = ("rejected", "needs_human_review")
SECRET = re.compile(r"AKIA[A-Z0-9]{16}|-----BEGIN [A-Z ]*PRIVATE KEY-----")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
CANARY = re.compile(r"lakehouse-canary-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HAN = "\u4e00-\u9fff"
WORD = re.compile(rf"[{HAN}]|[^\W{HAN}]+")


@dataclass
class Text:
    """The texts of a run after synthesis."""

    run: Run
    system: str
    turns: list[tuple[str, str]]
    context: str
    instruction: str
    response: str
    emails: int = 0
    suspicious: float = 0.0

    def fields(self) -> list[str]:
        return [self.system, *(text for _, text in self.turns), self.context, self.instruction, self.response]

    def prompt(self) -> tuple[object, ...]:
        turns = tuple((role, normal(text)) for role, text in self.turns)
        return normal(self.system), turns, normal(self.context), normal(self.instruction)

    def earlier(self) -> str:
        return "\n".join([*(text for _, text in self.turns), self.context])

    def words(self) -> Words:
        return words("\n".join([self.instruction, self.earlier(), self.response]))

    def rank(self) -> tuple[object, ...]:
        return -1 if self.run.score is None else -self.run.score - 2, self.run.scored_at, self.run.run_id


@dataclass
class Book:
    """What is known so far: fates, and which tasks belong together."""

    config: PipelineConfig
    fates: Fates = field(default_factory=dict)
    links: list[set[str]] = field(default_factory=list)

    def say(self, text: Text, outcome: str, **evidence: object) -> None:
        self.fates[text.run.run_id] = {"outcome": outcome, **evidence}

    def link(self, one: Text, other: Text) -> None:
        self.links.append({one.run.task_id, other.run.task_id})

    def group(self, task: str) -> str:
        group, size = {task}, 0
        while size < len(group):
            size = len(group)
            group.update(*(link for link in self.links if link & group))
        return min(group)


def expected_fates(runs: Iterable[Run], items: Sequence[EvalItem], config: PipelineConfig) -> Fates:
    """Return outcome, split, group and evidence of every run in an SFT export of the best attempts."""
    book = Book(config)
    runs = list(runs)
    texts = sorted(_without_leaks(_admitted(runs, book), runs, book), key=Text.rank)
    texts = _without_exact_duplicates(_without_secrets(texts, book), book)
    for one, other in itertools.combinations(texts, 2):
        prompts = [words(f"{text.instruction}\n{text.earlier()}") for text in (one, other)]
        alike = max(jaccard(one.words(), other.words()), jaccard(*prompts))
        if alike >= config.near_duplicate_jaccard or one.prompt() == other.prompt():
            book.link(one, other)
    contaminated, clean = _contaminated(texts, items, book)
    kept = _without_near_duplicates(contaminated, clean, book)
    for text in _best(kept, book):
        group = book.group(text.run.task_id)
        evidence: dict[str, object] = {"redacted": {"email": text.emails}} if text.emails else {}
        evidence |= {"suspicious": round(text.suspicious, 4)} if text.suspicious else {}
        book.say(text, "exported", split=split_of(group), group=group, **evidence)
    return book.fates


def _admitted(runs: Sequence[Run], book: Book) -> list[Text]:
    texts = []
    for run in runs:
        text, outcome = synthesised(run), ""
        if run.is_disputed:
            outcome = "disputed"
        elif run.category in NEVER:
            outcome = "firewall_blocked"
        elif run.category == "partially_accepted" and not book.config.include_partial:
            outcome = "partial_excluded"
        elif text is None:
            outcome = "synthesis_failed"
        if text is None or outcome:
            book.fates[run.run_id] = {"outcome": outcome}
        else:
            texts.append(text)
    return texts


def synthesised(run: Run) -> Text | None:
    content: Mapping[str, Any] = run.content
    system, context = content.get("system") or "", content.get("context") or ""
    if "messages" not in content:
        return Text(run, system, [], context, content["prompt"], content["response"])
    turns = [(message["role"], message["content"]) for message in content["messages"]]
    asked = [place for place, (role, _) in enumerate(turns) if role == "user"]
    if turns[-1][0] != "assistant" or not asked:
        return None
    system = "\n\n".join(text for role, text in turns if role == "system")
    earlier = [turn for turn in turns[: asked[-1]] if turn[0] != "system"]
    return Text(run, system, earlier, context, turns[asked[-1]][1], turns[-1][1])


def _without_leaks(texts: list[Text], runs: Sequence[Run], book: Book) -> list[Text]:
    blocked = [text for run in runs if run.category in NEVER and (text := synthesised(run))]
    answers = {normal(text.response) for text in blocked}
    of_task = {(text.run.task_id, normal(text.response)) for text in blocked}
    kept = []
    for text in texts:
        if (text.run.task_id, normal(text.response)) in of_task:
            book.say(text, "label_conflict")
        elif any(role == "assistant" and normal(said) in answers for role, said in text.turns):
            book.say(text, "context_leak")
        else:
            kept.append(text)
    return kept


def _without_secrets(texts: list[Text], book: Book) -> list[Text]:
    kept = []
    for text in texts:
        if any(map(SECRET.search, text.fields())):
            book.say(text, "secret")
            continue
        text.emails = sum(len(EMAIL.findall(own)) for own in text.fields())
        text.turns = [(role, EMAIL.sub("[EMAIL]", said)) for role, said in text.turns]
        for name in ("system", "context", "instruction", "response"):
            setattr(text, name, EMAIL.sub("[EMAIL]", getattr(text, name)))
        kept.append(text)
    return kept


def _without_exact_duplicates(texts: list[Text], book: Book) -> list[Text]:
    first: dict[object, Text] = {}
    for text in texts:
        key = (text.prompt(), normal(text.response))
        if first.setdefault(key, text) is not text:
            book.say(text, "exact_duplicate", of=first[key].run.run_id)
            book.link(text, first[key])
    return list(first.values())


def _contaminated(texts: list[Text], items: Sequence[EvalItem], book: Book) -> tuple[list[Text], list[Text]]:
    config = book.config
    rows = [set(grams(text.words(), config.decontaminate_ngram)) for text in texts]
    often = Counter(gram for row in rows for gram in row)
    limit = max(config.common_ngram_floor, config.common_ngram_share * len(texts))
    common = {gram for gram, count in often.items() if count > limit}
    contaminated, clean = [], []
    for text, row in zip(texts, rows, strict=True):
        hits = [(1.0, "canary", "canary")] if any(CANARY.search(normal(own)) for own in text.fields()) else []
        for how in ("prompt", "answer", "short_item"):
            hits += [(_coverage(how, item, text, row, common, config), item.item_id, how) for item in items]
        coverage, of, how = max(hits, key=lambda hit: hit[0])
        if coverage >= config.contaminated_coverage:
            book.say(text, "contaminated", of=of, how=how, coverage=round(coverage, 4))
            contaminated.append(text)
            continue
        text.suspicious = coverage if coverage >= config.suspicious_coverage else 0.0
        clean.append(text)
    return contaminated, clean


def _coverage(
    how: str,
    item: EvalItem,
    text: Text,
    row: set[tuple[str, ...]],
    common: set[tuple[str, ...]],
    config: PipelineConfig,
) -> float:
    prompt, answer = words(item.prompt), words(item.answer)
    if how == "short_item":
        if len(prompt) >= config.decontaminate_ngram or not holds(words(text.response), answer):
            return 0.0
        if len(prompt) < 4:
            return float(words(text.instruction) == prompt)
        return float(holds(words(text.instruction), prompt) or holds(words(text.earlier()), prompt))
    size = config.decontaminate_ngram
    own, least = (prompt, size) if how == "prompt" else (answer, config.answer_min_tokens)
    if len(own) < least:
        return 0.0
    counted = {at: gram for at, gram in enumerate(grams(own, size)) if gram not in common}
    inside = {at + step for at in counted for step in range(size)}
    matched = {at + step for at, gram in counted.items() if gram in row for step in range(size)}
    return len(matched) / len(inside) if inside else 0.0


def _without_near_duplicates(contaminated: list[Text], clean: list[Text], book: Book) -> list[Text]:
    least = book.config.near_duplicate_jaccard
    kept: list[Text] = []
    for text in clean:
        if any(jaccard(text.words(), other.words()) >= least for other in contaminated):
            book.say(text, "contaminated_neighbor")
            continue
        alike = [(jaccard(text.words(), other.words()), other) for other in kept]
        found = max(alike, key=lambda pair: pair[0], default=(0.0, text))
        if found[0] >= least:
            book.say(text, "near_duplicate", of=found[1].run.run_id, jaccard=round(found[0], 4))
        else:
            kept.append(text)
    return kept


def _best(texts: list[Text], book: Book) -> list[Text]:
    attempts: dict[object, list[Text]] = {}
    for text in texts:
        attempts.setdefault((text.run.task_id, text.prompt()), []).append(text)
    taken = []
    for own in attempts.values():
        best, *others = sorted(own, key=lambda text: (text.rank()[0], -text.run.attempt, text.run.run_id))
        taken.append(best)
        for text in others:
            book.say(text, "superseded_attempt", of=best.run.run_id)
    return taken


def split_of(group: str) -> str:
    drawn = int.from_bytes(hashlib.sha256(b"split-v1\x1f" + group.encode()).digest()[:8], "big") / 2**64
    return "test" if drawn < 0.05 else "validation" if drawn < 0.1 else "train"


def normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@cache
def words(text: str) -> Words:
    return tuple(WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def grams(own: Words, size: int) -> list[Words]:
    return [own[at : at + size] for at in range(len(own) - size + 1)]


def holds(own: Words, phrase: Words) -> bool:
    return not phrase or phrase in grams(own, len(phrase))


def jaccard(one: Words, other: Words) -> float:
    first, second = runs_of(one), runs_of(other)
    return len(first & second) / max(1, len(first | second))


@cache
def runs_of(own: Words) -> frozenset[Words]:
    return frozenset(grams(own, min(5, len(own)))) if own else frozenset()
