"""One line of scored runs → the run it holds, or the first fault it has. The rules and their order are an interface.

Whoever changes them changes what is quarantined: `docs/how-to/bring-in-scored-runs.md` has the table for readers.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from distillation import json_values
from distillation.firewall import Category
from distillation.lines import RawLine
from distillation.pipeline_types import Json
from distillation.timestamps import parse_rfc3339

DEFAULT_MAX_LINE_BYTES: Final = 8 * 1024 * 1024
SCHEMA_VERSION: Final = 1
MAX_ATTEMPT: Final = 1_000
MAX_ID_CHARACTERS: Final = 128
MAX_NAME_CHARACTERS: Final = 256
ID: Final = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._:@+=~-]{{0,{MAX_ID_CHARACTERS - 1}}}")
ROLES: Final = frozenset({"system", "user", "assistant"})
REQUIRED: Final = ("run_id", "task_id", "category", "scored_at", "source")
_OPTIONAL: Final = ("schema_version", "attempt", "score", "scorer", "model", "context", "system", "tags")
KNOWN: Final = frozenset((*REQUIRED, *_OPTIONAL, "prompt", "response", "messages"))
_CATEGORIES: Final = frozenset(category.value for category in Category)


class Code(StrEnum):
    """Why a line was not taken, in the order in which the reasons are looked for."""

    LINE_TOO_LONG = "line_too_long"
    INVALID_UTF8 = "invalid_utf8"
    DUPLICATE_KEY = "duplicate_key"
    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    NUL_CHARACTER = "nul_character"
    UNSUPPORTED_SCHEMA_VERSION = "unsupported_schema_version"
    MISSING_CATEGORY = "missing_category"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    INVALID_ID = "invalid_id"
    UNKNOWN_CATEGORY = "unknown_category"
    INVALID_TIMESTAMP = "invalid_timestamp"
    INVALID_VALUE = "invalid_value"
    SCORE_OUT_OF_RANGE = "score_out_of_range"
    AMBIGUOUS_BODY = "ambiguous_body"
    INVALID_MESSAGE = "invalid_message"
    EMPTY_FIELD = "empty_field"
    DUPLICATE_RUN_ID_CONFLICT = "duplicate_run_id_conflict"


class LineFault(NamedTuple):
    """Why a line is not taken. `run_id` is the line's, where it has a valid one."""

    code: Code
    message: str
    run_id: str = ""


class ScoredRunLine(NamedTuple):
    """One valid line. `content` is its canonical JSON, and `content_sha256` that of its bytes in UTF-8."""

    run_id: str
    task_id: str
    attempt: int
    category: str
    source: str
    scored_at: datetime
    score: float | None
    scorer_name: str
    scorer_version: str
    model: str
    prompt_characters: int
    response_characters: int
    content: str
    content_sha256: str
    fields: Mapping[str, Json]

    @property
    def extra(self) -> dict[str, Json]:
        """The fields this application knows nothing of; they are kept in `content`."""
        return {name: value for name, value in self.fields.items() if name not in KNOWN}


class _Refused(Exception):
    def __init__(self, code: Code, message: str) -> None:
        self.code, self.message = code, message


def is_blank(line: RawLine) -> bool:
    """Say whether a line holds nothing but blanks."""
    return not line.data or line.data.isspace()


def judge(line: RawLine, max_line_bytes: int) -> ScoredRunLine | LineFault | None:
    """Return the run a line holds, its first fault, or None for the unfinished last line of a stream.

    Parameters
    ----------
    line
        Not blank.
    max_line_bytes
        The limit the line was read with, for the message.
    """
    if line.is_too_long:
        if not line.has_end and not line.looks_closed:
            return None
        return LineFault(
            Code.LINE_TOO_LONG,
            f"The line has {line.size_bytes:,} bytes, more than the limit of {max_line_bytes:,}. "
            "Shorten it, or release it with a higher --max-line-bytes.",
        )
    judged = validate(line.data)
    if not line.has_end and isinstance(judged, LineFault) and not json_values.is_json(line.data):
        return None
    return judged


def validate(raw: bytes) -> ScoredRunLine | LineFault:
    """Return the run that the bytes of a line hold, or the first fault they have.

    Parameters
    ----------
    raw
        One line without its line end, within the limit.
    """
    try:
        parsed = json_values.parse(raw)
    except UnicodeDecodeError as error:
        return LineFault(Code.INVALID_UTF8, f"Byte {error.start + 1} of the line is not UTF-8.")
    except json_values.RepeatedKey as error:
        return LineFault(Code.DUPLICATE_KEY, str(error))
    except json_values.InvalidJson as error:
        return LineFault(Code.INVALID_JSON, str(error))
    fields = parsed.value
    if not isinstance(fields, dict):
        return LineFault(Code.NOT_AN_OBJECT, f"A line is one JSON object, not {json_values.kind_of(fields)}.")
    if json_values.holds_nul(raw, fields):
        return LineFault(Code.NUL_CHARACTER, "The line has the character U+0000, which no database keeps. Remove it.")
    try:
        return _run_of(fields, parsed.canonical)
    except _Refused as refused:
        run_id = fields.get("run_id")
        is_id = isinstance(run_id, str) and ID.fullmatch(run_id) is not None
        return LineFault(refused.code, refused.message, str(run_id) if is_id else "")


def _run_of(fields: dict[str, Json], canonical: bytes) -> ScoredRunLine:
    version = fields.get("schema_version", SCHEMA_VERSION)
    if type(version) is not int or version != SCHEMA_VERSION:
        message = f"schema_version {json_values.shown(version)} is not known here; this reads version {SCHEMA_VERSION}."
        raise _Refused(Code.UNSUPPORTED_SCHEMA_VERSION, message)
    for name in REQUIRED:
        if name not in fields:
            code = Code.MISSING_CATEGORY if name == "category" else Code.MISSING_FIELD
            raise _Refused(code, f"The field {name!r} is required.")
    run_id, task_id, source = _id(fields, "run_id"), _id(fields, "task_id"), _source(fields)
    category = fields["category"]
    if type(category) is not str or category not in _CATEGORIES:
        known = ", ".join(sorted(_CATEGORIES))
        raise _Refused(
            Code.UNKNOWN_CATEGORY, f"category {json_values.shown(category)} is none of {known}, spelled exactly so."
        )
    scored_at = fields["scored_at"]
    moment = parse_rfc3339(scored_at) if type(scored_at) is str else None
    if moment is None:
        message = f"scored_at {json_values.shown(scored_at)} is no RFC 3339 time with an offset: 2026-03-01T20:15:12Z."
        raise _Refused(Code.INVALID_TIMESTAMP, message)
    attempt, score = _attempt(fields), _score(fields)
    prompt_characters, response_characters = _body(fields)
    scorer_name, scorer_version = _scorer(fields)
    _check_texts(fields)
    return ScoredRunLine(
        run_id, task_id, attempt, category, source, moment, score, scorer_name, scorer_version, _name(fields, "model"),
        prompt_characters, response_characters, canonical.decode(), hashlib.sha256(canonical).hexdigest(), fields,
    )  # fmt: skip


def _id(fields: dict[str, Json], name: str) -> str:
    value = fields[name]
    if type(value) is not str:
        raise _Refused(Code.WRONG_TYPE, f"{name} has to be a string, not {json_values.kind_of(value)}.")
    if ID.fullmatch(value) is None:
        message = (
            f"{name} {json_values.shown(value)} is no id: 1 to {MAX_ID_CHARACTERS} of the letters A-Z and a-z, digits, "
            "and ._:@+=~- where the first is a letter, a digit or _."
        )
        raise _Refused(Code.INVALID_ID, message)
    return value


def _source(fields: dict[str, Json]) -> str:
    value = fields["source"]
    if type(value) is not str:
        raise _Refused(Code.WRONG_TYPE, f"source has to be a string, not {json_values.kind_of(value)}.")
    if not value.strip() or len(value) > MAX_NAME_CHARACTERS:
        raise _Refused(Code.INVALID_ID, f"source has to have 1 to {MAX_NAME_CHARACTERS} characters, not only blanks.")
    return value


def _attempt(fields: dict[str, Json]) -> int:
    value = fields.get("attempt", 1)
    if type(value) is not int:
        raise _Refused(Code.WRONG_TYPE, f"attempt has to be a whole number, not {json_values.kind_of(value)}.")
    if not 1 <= value <= MAX_ATTEMPT:
        raise _Refused(Code.INVALID_VALUE, f"attempt {json_values.shown(value)} is outside 1 to {MAX_ATTEMPT}.")
    return value


def _score(fields: dict[str, Json]) -> float | None:
    value = fields.get("score")
    if value is None:
        return None
    if type(value) is not float and type(value) is not int:
        raise _Refused(Code.WRONG_TYPE, f"score has to be a number or null, not {json_values.kind_of(value)}.")
    if not 0 <= value <= 1:
        raise _Refused(Code.SCORE_OUT_OF_RANGE, f"score {json_values.shown(value)} is outside 0 to 1.")
    return float(value)


def _body(fields: dict[str, Json]) -> tuple[int, int]:
    """Check what was asked and answered; return the number of characters of each."""
    if "messages" in fields:
        if "response" in fields:
            message = "The line has messages and response. Leave the one that is not meant."
            raise _Refused(Code.AMBIGUOUS_BODY, message)
        return _messages(fields["messages"])
    for name in ("prompt", "response"):
        if name not in fields:
            raise _Refused(Code.MISSING_FIELD, f"The field {name!r} is required, or messages.")
    sizes = []
    for name in ("prompt", "response"):
        value = fields[name]
        if type(value) is not str:
            raise _Refused(Code.WRONG_TYPE, f"{name} has to be a string, not {json_values.kind_of(value)}.")
        if not value or value.isspace():
            raise _Refused(Code.EMPTY_FIELD, f"{name} is empty.")
        sizes.append(len(value))
    return sizes[0], sizes[1]


def _messages(messages: Json) -> tuple[int, int]:
    if type(messages) is not list:
        raise _Refused(Code.WRONG_TYPE, f"messages has to be an array, not {json_values.kind_of(messages)}.")
    if not messages:
        raise _Refused(Code.INVALID_MESSAGE, "messages is empty.")
    sizes = []
    for position, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        content = message.get("content") if isinstance(message, dict) else None
        if type(role) is not str or role not in ROLES:
            roles = ", ".join(sorted(ROLES))
            raise _Refused(Code.INVALID_MESSAGE, f"messages[{position}] needs a role out of {roles}.")
        if type(content) is not str or (role != "system" and not content.strip()):
            raise _Refused(Code.INVALID_MESSAGE, f"messages[{position}] needs a content that is a text and not empty.")
        sizes.append((role, len(content)))
    response = sizes.pop()[1] if sizes[-1][0] == "assistant" else 0
    return sum(size for _, size in sizes), response


def _scorer(fields: dict[str, Json]) -> tuple[str, str]:
    scorer = fields.get("scorer")
    if scorer is None:
        return "", ""
    if not isinstance(scorer, dict):
        raise _Refused(
            Code.WRONG_TYPE, f"scorer has to be an object with name and version, not {json_values.kind_of(scorer)}."
        )
    return _name(scorer, "name"), _name(scorer, "version")


def _name(fields: dict[str, Json], name: str) -> str:
    """Return a short text that may be missing or null."""
    value = fields.get(name)
    if value is None:
        return ""
    if type(value) is not str:
        raise _Refused(Code.WRONG_TYPE, f"{name} has to be a string, not {json_values.kind_of(value)}.")
    if len(value) > MAX_NAME_CHARACTERS:
        raise _Refused(Code.INVALID_VALUE, f"{name} has more than {MAX_NAME_CHARACTERS} characters.")
    return value


def _check_texts(fields: dict[str, Json]) -> None:
    for name in ("context", "system"):
        if type(value := fields.get(name, "")) is not str and value is not None:
            raise _Refused(Code.WRONG_TYPE, f"{name} has to be a string, not {json_values.kind_of(value)}.")
    tags = fields.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(type(tag) is str for tag in tags)):
        raise _Refused(Code.WRONG_TYPE, "tags has to be an array of strings.")
