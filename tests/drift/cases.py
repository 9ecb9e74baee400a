"""The reference cases, and what "equal" means for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

_FILE = json.loads((Path(__file__).parent / "drift_cases.json").read_text())
RELATIVE: float = _FILE["tolerance"]["relative"]
ABSOLUTE: float = _FILE["tolerance"]["absolute"]
_NON_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def cases(kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _FILE[kind]
    return found


def numbers(values: list[Any]) -> list[Any]:
    """Return the values with the words for non-finite ones read."""
    return [_NON_FINITE[value] if isinstance(value, str) else value for value in values]


def differences(expected: Any, found: Any, place: str = "") -> list[str]:
    """Name every place where `found` is not what was expected; keys beyond the expected ones are no matter."""
    if isinstance(expected, dict):
        missing = [f"{place}/{key}: missing" for key in expected if key not in found]
        return missing + [
            line
            for key in expected
            if key in found
            for line in differences(expected[key], found[key], f"{place}/{key}")
        ]
    if isinstance(expected, list):
        if len(expected) != len(found):
            return [f"{place}: {len(expected)} expected, {len(found)} found"]
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for n, (one, other) in pairs for line in differences(one, other, f"{place}/{n}")]
    if isinstance(expected, float) and not isinstance(found, (str, type(None))):
        same = bool(np.isclose(found, expected, rtol=RELATIVE, atol=ABSOLUTE))
    else:
        same = found == expected and isinstance(found, bool) == isinstance(expected, bool)
    return [] if same else [f"{place}: {expected!r} expected, {found!r} found"]
