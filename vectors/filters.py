"""The filter language: which items a search, a count or a deletion is about.

::

    {"lang": "en", "year": {"$gte": 2020, "$lt": 2024}, "$or": [{"tags": "news"}, {"author.name": {"$exists": false}}]}

A dot leads into an object, and into every object of an array; a key that has the dot in its own name counts too. What
stands at a path may thus be no value, one, or several, and a condition holds when it holds for one of them. A value
that is an array stands for itself and, for `$eq`, `$in` and `$contains`, for each of its elements. Values of different
types are never equal and never ordered: true is not 1, "1" is not 1, and null is not the same as absent. `$ne`, `$nin`
and `$not` are true just where `$eq`, `$in` and the inner condition are not, so also where there is nothing at the path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from lakehouse_site.errors import Fault, InvalidInput
from vectors.batches import is_deeper
from vectors.fields import escape, json_type
from vectors.filter_operators import OPERATORS, OPPOSITES, Test

MAX_DEPTH = 8
MAX_CONDITIONS = 1_000
MAX_KEYS = 32
MAX_PATH_PARTS, MAX_PATH_LENGTH = 16, 512
MAX_OPERAND_DEPTH = 32
MAX_NODES = 5 * MAX_CONDITIONS
"""Keys, operators and elements looked at before a filter is taken for too large: a body has room for millions."""

MAX_OPERAND_BYTES = 2 * 1024 * 1024
"""All values of a filter together, as JSON: sets and keys made of them take many times as much."""

MAX_NAMED_FAULTS = 50
SHOWN_CHARACTERS = 80
LOGIC = ("$and", "$or", "$not")

_LONG_NUMBER = re.compile(r"\d{19}")


@dataclass(frozen=True, slots=True)
class Condition:
    """`test` is asked about what stands at `path`; `operator` and `operand` say the same as data.

    Conditions with the same `key` are true of the same items. It is short, whatever the operand: it may be kept.
    """

    path: str
    operator: str
    operand: Any
    test: Test
    key: bytes


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is; so it is without parts."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """True when at least one part is."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is not."""

    part: Filter


Filter = Condition | All | OneOf | Not


def parse_filter(body: object, pointer: str = "/filter") -> Filter:
    """Return the filter that parsed JSON describes.

    Raises
    ------
    InvalidInput
        With a fault for every place that is wrong: an unknown operator, an operand of a wrong type, deeper than
        `MAX_DEPTH`, more than `MAX_CHOICES` values in `$in` or `$nin`, more than `MAX_CONDITIONS` conditions, or
        conditions on more than `MAX_KEYS` keys.
    """
    parser = _Parser(pointer)
    found = parser.filter(body, pointer, 1)
    if len(paths(found)) > MAX_KEYS:
        parser.fault(pointer, "too_many", f"A filter asks about at most {MAX_KEYS} different keys.")
    if parser.faults:
        raise InvalidInput(parser.faults)
    return found


def has_huge_number(body: object) -> bool:
    """Return whether a filter may have lost digits when orjson made floats of integers beyond 64 bits."""
    waiting: list[Any] = [body]
    while waiting:
        value = waiting.pop()
        if type(value) is float and abs(value) >= 2**63:
            return True
        if type(value) is dict:
            waiting += value.values()
        elif type(value) is list:
            waiting += value
    return False


def matches(wanted: Filter, metadata: Mapping[str, Any] | None) -> bool:
    """Return whether an item with these metadata passes."""
    if isinstance(wanted, Condition):
        return wanted.test(values_at(metadata, wanted.path))
    if isinstance(wanted, All):
        return all(matches(part, metadata) for part in wanted.parts)
    if isinstance(wanted, OneOf):
        return any(matches(part, metadata) for part in wanted.parts)
    return not matches(wanted.part, metadata)


def parse_metadata(text: str | None) -> dict[str, Any] | None:
    """Return metadata as stored, parsed with exact integers; None for none."""
    if text is None:
        return None
    # orjson turns integers beyond 64 bits into floats.
    parsed: dict[str, Any] = json.loads(text) if _LONG_NUMBER.search(text) else orjson.loads(text)
    return parsed


def values_at(metadata: Mapping[str, Any] | None, path: str) -> list[Any]:
    """Return what stands at a path: no value, one, or several where it leads through arrays."""
    return [] if metadata is None else _values_in(metadata, path)


def key_of(wanted: Filter) -> Hashable:
    """Return something that is equal only for filters that are true of the same items."""
    if isinstance(wanted, Condition):
        return wanted.key
    if isinstance(wanted, Not):
        return "not", key_of(wanted.part)
    return type(wanted).__name__, tuple(key_of(part) for part in wanted.parts)


def paths(wanted: Filter) -> set[str]:
    """Return the paths a filter asks about."""
    if isinstance(wanted, Condition):
        return {wanted.path}
    if isinstance(wanted, Not):
        return paths(wanted.part)
    return set().union(*(paths(part) for part in wanted.parts))


def _values_in(value: Any, path: str) -> list[Any]:
    if isinstance(value, list):
        return [found for element in value if isinstance(element, dict) for found in _values_in(element, path)]
    if not isinstance(value, dict):
        return []
    found = [value[path]] if path in value else []
    at = path.find(".")
    while at >= 0:
        if path[:at] in value:
            found += _values_in(value[path[:at]], path[at + 1 :])
        at = path.find(".", at + 1)
    return found


def _as_json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value).encode()


def _place(pointer: str, name: str) -> str:
    # A name may have millions of characters, and stands in the pointer of every fault below it.
    return f"{pointer}/{escape(name[:MAX_PATH_LENGTH])}"


class _Parser:
    def __init__(self, root: str) -> None:
        self.faults: list[Fault] = []
        self._root = root
        self._conditions = 0
        self._nodes = 0
        self._operand_bytes = 0

    def fault(self, pointer: str, code: str, detail: str) -> Filter:
        self.faults.append(Fault(pointer, code, detail))
        return All(())

    def filter(self, body: object, pointer: str, depth: int) -> Filter:
        self._count(0)
        if not isinstance(body, dict):
            return self.fault(pointer, "type", f"A filter is an object, not {json_type(body)}.")
        if depth > MAX_DEPTH:
            return self.fault(pointer, "too_deep", f"Filters are nested at most {MAX_DEPTH} levels deep.")
        parts = [self._part(name, value, _place(pointer, name), depth) for name, value in body.items()]
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _part(self, name: str, value: object, pointer: str, depth: int) -> Filter:
        self._count(0)
        if name in ("$and", "$or"):
            if not isinstance(value, list) or not value:
                return self.fault(pointer, "type", f"{name} takes an array of at least one filter.")
            inner = tuple(self.filter(one, f"{pointer}/{i}", depth + 1) for i, one in enumerate(value))
            return All(inner) if name == "$and" else OneOf(inner)
        if name == "$not":
            return Not(self.filter(value, pointer, depth + 1))
        if name.startswith("$"):
            shown = name[:SHOWN_CHARACTERS]
            return self.fault(pointer, "operator", f"{shown!r} is no operator here; {', '.join(LOGIC)} are, or a key.")
        if name.count(".") >= MAX_PATH_PARTS or len(name) > MAX_PATH_LENGTH:
            detail = f"A path has at most {MAX_PATH_PARTS} parts and {MAX_PATH_LENGTH} characters."
            return self.fault(pointer, "path", detail)
        return self._conditions_at(name, value, pointer, depth)

    def _conditions_at(self, path: str, value: object, pointer: str, depth: int) -> Filter:
        operators = [name for name in value if name.startswith("$")] if isinstance(value, dict) else []
        if not isinstance(value, dict) or not operators:
            return self._condition(path, "$eq", value, pointer)
        if len(operators) < len(value):
            return self.fault(pointer, "mixed", "Operators and plain keys do not go together in one object.")
        if depth >= MAX_DEPTH:
            return self.fault(pointer, "too_deep", f"Filters are nested at most {MAX_DEPTH} levels deep.")
        parts: list[Filter] = []
        for name, operand in value.items():
            place = _place(pointer, name)
            if name != "$not":
                parts.append(self._condition(path, name, operand, place))
            elif isinstance(operand, dict) and operand and all(key.startswith("$") for key in operand):
                parts.append(Not(self._conditions_at(path, operand, place, depth + 1)))
            else:
                parts.append(self.fault(place, "type", "$not takes an object of operators here."))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _condition(self, path: str, name: str, operand: object, pointer: str) -> Filter:
        self._count(1)
        plain = OPPOSITES.get(name, name)
        build = OPERATORS.get(plain)
        if build is None:
            known = ", ".join((*OPERATORS, *OPPOSITES, "$not"))
            return self.fault(pointer, "operator", f"{name[:SHOWN_CHARACTERS]!r} is no operator; known here: {known}.")
        if is_deeper(operand, MAX_OPERAND_DEPTH):
            return self.fault(pointer, "too_deep", f"A value is nested at most {MAX_OPERAND_DEPTH} levels deep.")
        text = _as_json(operand)
        self._operand_bytes += len(text)
        if self._operand_bytes > MAX_OPERAND_BYTES:
            return self.fault(pointer, "too_large", f"The values of a filter take at most {MAX_OPERAND_BYTES} bytes.")
        key = blake2b(_as_json([path, plain]) + text, digest_size=16).digest()
        try:
            condition = Condition(path, plain, operand, build(operand), key)
        except ValueError as error:
            return self.fault(pointer, "operand", str(error))
        return Not(condition) if name in OPPOSITES else condition

    def _count(self, conditions: int) -> None:
        """Give up on a filter that is too large, before its faults fill the memory."""
        self._conditions += conditions
        self._nodes += 1
        if self._conditions > MAX_CONDITIONS or self._nodes > MAX_NODES:
            detail = f"A filter has at most {MAX_CONDITIONS} conditions."
            raise InvalidInput([*self.faults[:MAX_NAMED_FAULTS], Fault(self._root, "too_many", detail)])
