"""What an export is asked for, and its id: the hash of all that decides what it holds. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import get_args, get_type_hints

import orjson

from distillation.firewall import SFT_NEVER, Category
from distillation.formats import FORMATS_OF_KIND, TEMPLATES_VERSION
from distillation.pipeline_types import EvalItem, Json, PipelineConfig, Run
from distillation.row_files import FileType
from lakehouse_site.errors import Fault, InvalidInput

RULES_VERSION = 1
"""Raised when the same runs and configuration would give another export: it is part of the export id."""

KINDS = tuple(FORMATS_OF_KIND)
ATTEMPTS: tuple[str, ...] = get_args(get_type_hints(PipelineConfig)["attempts"])
SPLITS = ("train", "validation", "test")
DEFAULT_SPLIT = "90/5/5"
_SPLIT = re.compile(r"(\d{1,3}(?:\.\d{1,4})?)/(\d{1,3}(?:\.\d{1,4})?)/(\d{1,3}(?:\.\d{1,4})?)", re.ASCII)
_ID_LENGTH = 40
# Categories that stand in no role of a kind: what is planted with them must not be found in any of its files.
_CANARY_CATEGORIES = {
    "sft": (Category.REJECTED.value, Category.NEEDS_HUMAN_REVIEW.value),
    "preference": (Category.NEEDS_HUMAN_REVIEW.value,),
    "kto": (Category.NEEDS_HUMAN_REVIEW.value,),
}
_CANARY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """A training set as it is asked for."""

    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    format: str = "messages"
    file_type: str = "jsonl"


@dataclass(frozen=True, slots=True)
class EvalSetContent:
    """An evaluation set as an export uses it; `sha256` is of its items as canonical JSON lines."""

    name: str
    sha256: str
    items: tuple[EvalItem, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run came from and what it was then; `run_key` is its primary key."""

    run_key: int
    run_id: str
    category: str
    is_disputed: bool
    content_sha256: str
    file: str
    file_sha256: str
    line: int
    scorer_name: str
    scorer_version: str
    model: str


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that holds runs of the export, with its counts."""

    path: str
    sha256: str
    lines: int
    blank: int
    incomplete_tail: int
    duplicate_identical: int
    quarantined: int
    ingested: int


def make_request(
    *,
    kind: str = "sft",
    format_name: str | None = None,
    file_type: str = "jsonl",
    include_partial: bool = False,
    attempts: str = "best",
    split: str = DEFAULT_SPLIT,
) -> ExportRequest:
    """Return a request, its words checked; without a format it is the first of its kind.

    Raises
    ------
    InvalidInput
        Naming every field that is wrong, and what would be right.
    """
    faults = [
        Fault(f"/{name}", "choice", f"Expected one of {', '.join(choices)}, not {value!r}.")
        for name, value, choices in (
            ("kind", kind, KINDS),
            ("file_type", file_type, tuple(FileType)),
            ("attempts", attempts, ATTEMPTS),
        )
        if value not in choices
    ]
    formats = FORMATS_OF_KIND.get(kind, ())
    if formats and format_name is not None and format_name not in formats:
        faults.append(Fault("/format", "choice", f"A set of kind {kind} has one of the formats {', '.join(formats)}."))
    shares = parse_split(split)
    if shares is None:
        detail = "Expected the percentages of train, validation and test, which add up to 100, as 90/5/5."
        faults.append(Fault("/split", "invalid", detail))
    if faults or shares is None:
        raise InvalidInput(faults)
    pipeline = PipelineConfig(
        kind=kind,  # type: ignore[arg-type]  # checked above
        include_partial=include_partial,
        attempts=attempts,  # type: ignore[arg-type]  # checked above
        validation_share=shares[1],
        test_share=shares[2],
    )
    return ExportRequest(pipeline, format_name or formats[0], file_type)


def parse_split(text: str) -> tuple[float, float, float] | None:
    """Return the shares of train, validation and test, None when the text is not three percentages of 100."""
    found = _SPLIT.fullmatch(text.strip())
    if found is None:
        return None
    # Ten-thousandths of a percent as integers: 33.3 + 33.3 + 33.4 is 100, but not in floats.
    parts = [round(float(part) * 10_000) for part in found.groups()]
    if sum(parts) != 1_000_000 or parts[0] == 0:
        return None
    train, validation, test = (part / 1_000_000 for part in parts)
    return train, validation, test


def configuration(request: ExportRequest) -> dict[str, Json]:
    """Return all that decides what is done with the input, as JSON."""
    writer = f"pyarrow {version('pyarrow')}" if request.file_type == FileType.PARQUET else "json lines"
    return {
        "format": request.format,
        "file_type": request.file_type,
        "file_writer": writer,  # the bytes of Parquet depend on it
        "pipeline": asdict(request.pipeline),
        "sft_never": [*sorted(SFT_NEVER)],
        "rules_version": RULES_VERSION,
        "templates_version": TEMPLATES_VERSION,
    }


def export_id(
    request: ExportRequest,
    origins: Sequence[Origin],
    files: Sequence[InputFile],
    eval_sets: Sequence[EvalSetContent],
) -> str:
    """Return the id of the export of this input: the same for the same input and configuration, anywhere.

    Parameters
    ----------
    request
        The configuration.
    origins
        Every run that was read, by run id.
    files
        The files they stand in, by path.
    eval_sets
        The evaluation sets, in order.

    Returns
    -------
    str
        40 hexadecimal digits of a SHA-256.
    """
    digest = hashlib.sha256(orjson.dumps(configuration(request), option=orjson.OPT_SORT_KEYS))
    for evals in eval_sets:
        digest.update(orjson.dumps(["eval set", evals.name, evals.sha256], option=orjson.OPT_APPEND_NEWLINE))
    for file in files:
        digest.update(orjson.dumps(["file", asdict(file)], option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS))
    for origin in origins:
        # Not the primary key: it differs between two databases that hold the same.
        facts = [origin.run_id, origin.content_sha256, origin.category, origin.is_disputed]
        place = [origin.file, origin.file_sha256, origin.line]
        digest.update(orjson.dumps([*facts, *place], option=orjson.OPT_APPEND_NEWLINE))
    return digest.hexdigest()[:_ID_LENGTH]


def canary_text(export_id: str) -> str:
    """Return a text that stands in no real run: whatever holds it came through the firewall."""
    return "canary" + hashlib.sha256(f"planted canary of {export_id}".encode()).hexdigest()


def canary_runs(export_id: str, kind: str) -> list[Run]:
    """Return blocked runs to plant among the real ones; none of their text may reach a file."""
    text = canary_text(export_id)
    return [_canary(text, category) for category in _CANARY_CATEGORIES[kind]]


def _canary(text: str, category: str) -> Run:
    run_id = f"{text}-{category}"
    content: Mapping[str, Json] = {
        "run_id": run_id,
        "task_id": run_id,
        "prompt": f"{text} question {category}",
        "response": f"{text} answer {category}",
    }
    return Run(run_id, run_id, category, "canary", 1, 1.0, _CANARY_TIME, False, content)
