"""JSON that has only one reading: no key twice, no number that loses digits, and one canonical spelling.

Two lines have the same content when their canonical JSON is the same: keys sorted by code point, no blanks, UTF-8, each
character unescaped, each fraction in its shortest form. So the order of keys, blanks, escapes, and ``0.50`` for ``0.5``
do not count. Whole numbers and fractions are told apart (``1`` is not ``1.0``), and texts are not normalised.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

import orjson

from distillation.pipeline_types import Json

MAX_DEPTH = 254
"""Arrays and objects that may stand in one another: what orjson writes."""

_KEY_END = re.compile(rb'"[ \t\r\n]*:')
_NUL = b"\\u0000"
_TOO_LONG_FOR_64_BITS = 2.0**63


class InvalidJson(ValueError):
    """A text is no JSON, or JSON that would lose something when it is read."""


class RepeatedKey(ValueError):
    """An object has a key twice. Every common parser would keep the last value and say nothing."""


class Parsed(NamedTuple):
    """A value and its canonical JSON."""

    value: Json
    canonical: bytes


def parse(raw: bytes) -> Parsed:
    """Read one JSON text.

    Parameters
    ----------
    raw
        UTF-8. Blanks around the value are allowed.

    Raises
    ------
    UnicodeDecodeError
        It is not UTF-8.
    RepeatedKey
        An object in it, at any depth, has a key twice, compared after unescaping.
    InvalidJson
        It is no JSON: also NaN, infinities, numbers beyond a double, lone surrogates, anything after the value, and
        nesting deeper than `MAX_DEPTH`.

    Notes
    -----
    orjson keeps the last of two equal keys and drops the other with its quotes, so quotes are counted; see
    `_may_repeat_a_key`. Only where the numbers differ the standard library reads the text again, which shows every key.
    """
    try:
        value = orjson.loads(raw)
        canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError as error:
        reason = str(error)
    except orjson.JSONEncodeError:
        reason = f"nested deeper than {MAX_DEPTH}"
    else:
        if _may_repeat_a_key(raw, value, canonical):
            json.loads(raw, object_pairs_hook=_once_each)
        return _exact(raw) if _has_huge_number(value) else Parsed(value, canonical)
    raise _fault_of(raw, reason)


def is_json(raw: bytes) -> bool:
    """Say whether a text is JSON, whatever keys stand in it twice."""
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


def holds_nul(raw: bytes, value: Json) -> bool:
    """Say whether a key or a text of the value parsed from `raw` has the character U+0000."""
    return b"\\" in raw and _NUL in raw and _has_nul(value)


def kind_of(value: Json) -> str:
    """Return what JSON calls a value, with its article."""
    names = {bool: "a boolean", str: "a string", list: "an array", dict: "an object", type(None): "null"}
    return names.get(type(value), "a number")


def shown(value: Json) -> str:
    """Return a value for a message, cut short."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _may_repeat_a_key(raw: bytes, value: Json, canonical: bytes) -> bool:
    """Say whether an object in a valid text may have a key twice. May be wrong with yes, never with no.

    A text without ``\\u`` has two quotes for each key and each text, and spells each quote inside of one as ``\\"``, as
    canonical JSON does. So both have the same number of quotes unless some were dropped. A ``\\u0022`` could make up
    for what was dropped; there key tokens are counted instead.
    """
    if b"\\" not in raw or b"\\u" not in raw:  # to look for one byte is much faster than for two
        return raw.count(b'"') != canonical.count(b'"')
    return _most_keys(raw) != _count_keys(value)


def _most_keys(raw: bytes) -> int:
    """Return a number of key tokens that a valid text cannot exceed.

    Each key token ends with a quote that closes a string, then blanks, then a colon. A quote after exactly one
    backslash closes none, so those are left out again; a quote after two may.
    """
    return len(_KEY_END.findall(raw)) + raw.count(b'\\\\":') - raw.count(b'\\":')


def _count_keys(value: Json) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_count_keys, value.values()))
    return sum(map(_count_keys, value)) if isinstance(value, list) else 0


def _has_huge_number(value: Json) -> bool:
    """Say whether a number is so large that orjson may have rounded it."""
    members: Iterable[Json] = (value,)
    if isinstance(value, dict):
        members = value.values()
    elif isinstance(value, list):
        members = value
    for member in members:
        kind = type(member)
        if kind is str:
            continue
        if kind is float:
            if not -_TOO_LONG_FOR_64_BITS < member < _TOO_LONG_FOR_64_BITS:  # type: ignore[operator]
                return True
        elif (kind is dict or kind is list) and _has_huge_number(member):
            return True
    return False


def _once_each(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise RepeatedKey(f"The key {repeated[:80]!r} stands twice in one object. Leave one of the two.")
    return members


def _exact(raw: bytes) -> Parsed:
    """Return a value with whole numbers of any size as they are, which orjson makes floats of."""
    value = json.loads(raw)
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return Parsed(value, text.encode())


def _fault_of(raw: bytes, reason: str) -> ValueError:
    """Return what to raise for a text that orjson refused: of several reasons the one that is named first."""
    try:
        json.loads(raw.decode(), object_pairs_hook=_once_each)
    except (UnicodeDecodeError, RepeatedKey) as error:
        return error
    except (ValueError, RecursionError):
        pass
    return InvalidJson(f"This is not JSON: {reason}.")


def _has_nul(value: Json) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in name or _has_nul(member) for name, member in value.items())
    return isinstance(value, list) and any(_has_nul(member) for member in value)
