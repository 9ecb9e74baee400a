"""Evaluation sets as JSON lines: read strictly, and hashed by what they say. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson

from distillation.export_request import EvalSetContent
from distillation.pipeline_types import EvalItem
from lakehouse_site.errors import Fault, InvalidInput
from vectors.local_files import open_input

MAX_ID_LENGTH = 256
_KNOWN = ("id", "prompt", "answer", "canary")


def parse_eval_set(name: str, lines: Iterable[bytes]) -> EvalSetContent:
    """Read an evaluation set.

    Parameters
    ----------
    name
        What the set is called.
    lines
        JSON objects, one a line: ``id`` and ``prompt`` (strings that are not empty), ``answer`` and ``canary``
        (strings, may be missing or null). Blank lines do not count; other keys are passed over.

    Raises
    ------
    InvalidInput
        Naming every faulty line, by its number from 1.
    """
    faults: list[Fault] = []
    items: list[EvalItem] = []
    known: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text.strip():
            continue
        found = _parse_item(name, text)
        if isinstance(found, str):
            faults.append(Fault(f"line {number}", "invalid", found))
        elif found.item_id in known:
            detail = f"The id {found.item_id!r} stands in line {known[found.item_id]} already."
            faults.append(Fault(f"line {number}", "duplicate", detail))
        else:
            known[found.item_id] = number
            items.append(found)
    if not items and not faults:
        faults.append(Fault("", "empty", f"The evaluation set {name} has no items."))
    if faults:
        raise InvalidInput(faults)
    return EvalSetContent(name, hashlib.sha256(canonical_lines(items)).hexdigest(), tuple(items))


def read_eval_set(file: Path, *, name: str | None = None) -> EvalSetContent:
    """Read an evaluation set from a file, by default under the file's own name.

    Raises
    ------
    InvalidInput
        It cannot be read, or naming the file and line of every fault.
    """
    with open_input(file) as lines:
        try:
            return parse_eval_set(name or file.stem, lines)
        except InvalidInput as error:
            places = [f"{file}, {fault.pointer}" if fault.pointer else str(file) for fault in error.faults]
            faults = [Fault(place, was.code, was.detail) for place, was in zip(places, error.faults, strict=True)]
            raise InvalidInput(faults) from error


def canonical_lines(items: Sequence[EvalItem]) -> bytes:
    """Return the items as canonical JSON lines, in the order of their ids: what the hash is made of."""
    ordered = sorted(items, key=lambda item: item.item_id)
    return b"".join(
        orjson.dumps(
            {"id": item.item_id, "prompt": item.prompt, "answer": item.answer, "canary": item.canary},
            option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE,
        )
        for item in ordered
    )


def _parse_item(eval_set: str, line: bytes) -> EvalItem | str:
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"It is not JSON: {error}."
    if not isinstance(body, dict):
        return "Expected an object with id, prompt and answer."
    texts: dict[str, str] = {}
    for key in _KNOWN:
        value = body.get(key)
        if value is None and key in ("answer", "canary"):
            value = ""
        if not isinstance(value, str):
            return f"{key} has to be a string."
        if "\0" in value:
            return f"{key} holds the NUL character (U+0000)."
        if key in ("id", "prompt") and not value.strip():
            return f"{key} is empty."
        texts[key] = value
    if len(texts["id"]) > MAX_ID_LENGTH:
        return f"id has more than {MAX_ID_LENGTH} characters."
    return EvalItem(eval_set, texts["id"], texts["prompt"], texts["answer"], texts["canary"])
