"""The filter language read from its description once more, as simply as it can be: what the service is compared with.

Nothing of `vectors` is used here. `random_filter` makes filters about the metadata that `machine.py` sends.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

ORDER = {
    "$gt": lambda one, other: one > other,
    "$gte": lambda one, other: one >= other,
    "$lt": lambda one, other: one < other,
    "$lte": lambda one, other: one <= other,
}


def holds(wanted: Mapping[str, Any], metadata: Any) -> bool:
    """Return whether metadata, a dictionary or None, match a filter."""
    return all(_part_holds(name, value, metadata) for name, value in wanted.items())


def _part_holds(name: str, value: Any, metadata: Any) -> bool:
    if name == "$and":
        return all(holds(one, metadata) for one in value)
    if name == "$or":
        return any(holds(one, metadata) for one in value)
    if name == "$not":
        return not holds(value, metadata)
    found = _at(metadata, name.split("."))
    if isinstance(value, dict) and any(key.startswith("$") for key in value):
        return all(_operator_holds(key, operand, found) for key, operand in value.items())
    return _operator_holds("$eq", value, found)


def _operator_holds(name: str, operand: Any, found: Sequence[Any]) -> bool:
    if name == "$not":
        return not all(_operator_holds(key, one, found) for key, one in operand.items())
    if name == "$ne":
        return not _operator_holds("$eq", operand, found)
    if name == "$nin":
        return not _operator_holds("$in", operand, found)
    if name == "$exists":
        return bool(found) == operand
    if name == "$in":
        return any(_operator_holds("$eq", one, found) for one in operand)
    if name == "$eq":
        return any(_same(value, operand) or _has(value, operand) for value in found)
    if name == "$contains":
        return any(
            _has(value, operand) or (isinstance(value, str) and isinstance(operand, str) and operand in value)
            for value in found
        )
    return any(_kind(value) == _kind(operand) and ORDER[name](value, operand) for value in found)


def _at(value: Any, parts: Sequence[str]) -> list[Any]:
    if isinstance(value, list):
        return [found for one in value if isinstance(one, dict) for found in _at(one, parts)]
    if not isinstance(value, dict):
        return []
    found: list[Any] = []
    for end in range(1, len(parts) + 1):
        key = ".".join(parts[:end])
        if key in value:
            found += [value[key]] if end == len(parts) else _at(value[key], parts[end:])
    return found


def _has(value: Any, operand: Any) -> bool:
    return isinstance(value, list) and any(_same(one, operand) for one in value)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def _same(one: Any, other: Any) -> bool:
    if _kind(one) != _kind(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def random_metadata(i: int, rng: random.Random) -> dict[str, Any]:
    """Return metadata for an item to add."""
    kinds: list[dict[str, Any]] = [
        {},
        {"n": i % 6, "text": "é\0"},
        {"deep": [{"x": [True, None, 1.5]}, {"y": i}], "n": i % 6},
        {"n": i % 6 + 0.5, "tags": rng.sample(["a", "b", 1, True], i % 4), "deep": {"x": i % 2 == 0}},
        {"n": str(i % 3), "tags": "a", "deep.x": 1.5, "big": 10**30 + i},
    ]
    return rng.choice(kinds)


def random_change(rng: random.Random) -> dict[str, Any]:
    """Return changes for a PATCH."""
    kinds: list[dict[str, Any]] = [
        {},
        {"n": None},
        {"n": rng.randrange(6), "patched": rng.random()},
        {"tags": ["a", rng.randrange(3)], "text": None, "patched": True},
        {"deep": {"x": None, "y": rng.randrange(30)}, "e\u0301": "\0"},
    ]
    return rng.choice(kinds)


def random_filter(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    """Return a filter."""
    if depth < 2 and rng.random() < 0.3:
        inner = [random_filter(rng, depth + 1) for _ in range(rng.randint(1, 3))]
        return rng.choice([{"$and": inner}, {"$or": inner}, {"$not": inner[0]}])
    conditions = [_random_condition(rng) for _ in range(rng.choice((1, 1, 2)))]
    return dict(conditions)


def _random_condition(rng: random.Random) -> tuple[str, Any]:
    path = rng.choice(("n", "n", "n", "tags", "text", "deep", "deep.x", "deep.y", "patched", "big", "nothing"))
    value = rng.choice((rng.randrange(6), rng.randrange(6) + 0.5, str(rng.randrange(3)), "a", "é", True, 10**30 + 3))
    anything = rng.choice((value, value, None, ["a"], {"x": True}, [True, None, 1.5]))
    order = value if type(value) is not bool else 0.5
    return path, rng.choice(
        (
            anything,
            {"$eq": anything},
            {"$ne": anything},
            {rng.choice(tuple(ORDER)): order},
            {"$gte": rng.randrange(3), "$lt": rng.randrange(3, 8)},
            {"$in": [anything, rng.randrange(6)]},
            {"$nin": [anything, rng.randrange(6)]},
            {"$exists": rng.random() < 0.5},
            {"$contains": value},
            {"$not": {rng.choice(tuple(ORDER)): order}},
        )
    )
