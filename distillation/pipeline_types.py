"""What goes into the export pipeline and what comes out of it. Pure: no database, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What a JSON text can hold."""


class Outcome(StrEnum):
    """The one fate of a run in an export."""

    EXPORTED = "exported"
    FIREWALL_BLOCKED = "firewall_blocked"
    DISPUTED = "disputed"
    PARTIAL_EXCLUDED = "partial_excluded"
    SYNTHESIS_FAILED = "synthesis_failed"
    LABEL_CONFLICT = "label_conflict"
    CONTEXT_LEAK = "context_leak"
    SECRET = "secret"  # noqa: S105  the name of a fate, not a password
    EXACT_DUPLICATE = "exact_duplicate"
    CONTAMINATED = "contaminated"
    CONTAMINATED_NEIGHBOR = "contaminated_neighbor"
    NEAR_DUPLICATE = "near_duplicate"
    SUPERSEDED_ATTEMPT = "superseded_attempt"
    # Of preference sets alone.
    NO_PARTNER = "no_partner"
    PAIR_LIMIT = "pair_limit"


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Everything that decides what an export holds. All of it goes into the export id."""

    kind: Literal["sft", "preference", "kto"] = "sft"
    include_partial: bool = False
    attempts: Literal["best", "latest", "all"] = "best"
    shingle_words: int = 5
    near_duplicate_jaccard: float = 0.8
    decontaminate_ngram: int = 8
    contaminated_coverage: float = 0.5
    suspicious_coverage: float = 0.2
    common_ngram_floor: int = 10
    common_ngram_share: float = 0.01
    answer_min_tokens: int = 20
    max_pairs_per_prompt: int = 4
    split_seed: str = "split-v1"
    test_share: float = 0.05
    validation_share: float = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """One ingested run as the pipeline reads it. `content` is the parsed line."""

    run_id: str
    task_id: str
    category: str
    source: str
    attempt: int
    score: float | None
    scored_at: datetime
    is_disputed: bool
    content: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The texts of one run after synthesis and redaction. `turns` are those before the instruction, without system."""

    system: str
    turns: tuple[Turn, ...]
    context: str
    instruction: str
    response: str


@dataclass(frozen=True, slots=True)
class EvalItem:
    """One question of an evaluation set. An empty answer or canary is none."""

    eval_set: str
    item_id: str
    prompt: str
    answer: str
    canary: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one run, and the evidence: `of`, `how`, `coverage`, `jaccard`, `suspicious`, `redacted`, …"""

    run_id: str
    outcome: Outcome
    split: str = ""
    group: str = ""
    evidence: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """A run that is exported in one role, ready to be written."""

    run_id: str
    task_id: str
    category: str
    role: str
    split: str
    group: str
    sample: Sample


@dataclass(frozen=True, slots=True)
class Pair:
    """A preference: two rows of the same (task, prompt)."""

    chosen: Row
    rejected: Row


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """The fate of every run, and what is to be written, in the order it is written."""

    decisions: Sequence[Decision]  # one a run, by run id
    rows: Sequence[Row]  # sft and kto; empty for preference
    pairs: Sequence[Pair]  # preference; empty otherwise
    stages: Sequence[tuple[str, int, int]]  # name, runs that went in, runs that came out
    redactions: Mapping[str, int]  # kind of placeholder → how often
    eval_hits: Mapping[str, Mapping[str, int]]  # eval set → item id → runs it removed or marked
    seconds: Mapping[str, float]  # stage → time; never part of the manifest's hashed half
