"""Bodies of the calls that compute on given data: JSON → arguments, or every fault with its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lakehouse_site.errors import Fault, InvalidInput

MAX_EMBEDDING_ROWS = 20_000
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_KINDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    dict: "an object",
    list: "a list",
    bool: "true or false",
}
_DISTRIBUTION = ("reference", "current", "buckets", "epsilon", "binning", "alpha")
_EMBEDDING = ("reference", "current", "seed", "max_rows", "permutations", "mmd", "drop_zero_rows")
_AUDIT = ("baseline", "current", "directions", "warn", "alert")
_SCORER = ("before", "after")
_FREEZE = ("before", "after", "scorer_name", "scorer_version", "compared_with")


def parse_distribution(body: object) -> dict[str, Any]:
    """Return the arguments of `compute_distribution_drift`.

    JSON has no NaN and no infinity: null is a missing value, and the texts NaN, Infinity and -Infinity are read.
    """
    fields = _fields(body, _DISTRIBUTION, ("reference", "current"))
    _check(fields, {"buckets": int, "epsilon": float, "binning": str, "alpha": float})
    return fields | {side: _numbers(fields[side], side) for side in ("reference", "current")}


def parse_scorer(body: object) -> dict[str, Any]:
    """Return the arguments of `compute_scorer_drift`."""
    fields = _fields(body, _SCORER, _SCORER)
    _check_verdicts(fields)
    return fields


def parse_freeze(body: object) -> dict[str, Any]:
    """Return two verdicts on the same runs, and whose the second one is."""
    fields = _fields(body, _FREEZE, ("before", "after", "scorer_name", "scorer_version"))
    _check_verdicts(fields)
    names = ("scorer_name", "scorer_version", "compared_with")
    _check(fields, dict.fromkeys(names, str))
    for name in names:
        if len(fields.get(name, "")) > 256 or "\0" in fields.get(name, ""):
            raise InvalidInput.at(f"/{name}", "text", "Expected text of at most 256 characters.")
    return fields


def parse_audit(body: object) -> dict[str, Any]:
    """Return the arguments of `build_audit_drift_table`."""
    fields = _fields(body, _AUDIT, ("baseline", "current"))
    _check(fields, {"baseline": dict, "current": dict, "directions": dict, "warn": float, "alert": float})
    return fields


def parse_embedding(body: object) -> dict[str, Any]:
    """Return the arguments of `compute_embedding_drift`."""
    fields = _fields(body, _EMBEDDING, ("reference", "current"))
    kinds = {"reference": list, "current": list, "seed": int, "max_rows": int, "permutations": int}
    _check(fields, {**kinds, "mmd": bool, "drop_zero_rows": bool})
    for name, low, high in (("seed", 0, 2**31), ("max_rows", 2, 2_000), ("permutations", 1, 999)):
        if name in fields and not low <= fields[name] <= high:
            raise InvalidInput.at(f"/{name}", "range", f"Expected a whole number from {low} to {high}.")
    for side in ("reference", "current"):
        if len(fields[side]) > MAX_EMBEDDING_ROWS:
            raise InvalidInput.at(f"/{side}", "range", f"Expected at most {MAX_EMBEDDING_ROWS} rows.")
    return fields | {side: [_row(row) for row in fields[side]] for side in ("reference", "current")}


def _row(row: object) -> object:
    """Return a row with the texts for what JSON has no number for read; what else is wrong is seen with all rows."""
    if isinstance(row, list) and any(isinstance(value, str) for value in row):
        return [_WORDS.get(value, value) if isinstance(value, str) else value for value in row]
    return row


def parse_acknowledgement(body: object) -> tuple[str, str]:
    """Return who has looked, and what was found."""
    fields = _fields(body, ("by", "note"), ("by",))
    _check(fields, {"by": str, "note": str})
    for name, text in fields.items():
        if "\0" in text or len(text) > 10_000:
            raise InvalidInput.at(f"/{name}", "text", "Expected text of at most 10,000 characters without NUL.")
    return fields["by"], fields.get("note", "")


def _fields(body: object, allowed: tuple[str, ...], needed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InvalidInput.at("", "object", f"Expected an object with {', '.join(needed)}.")
    faults = [
        Fault(f"/{name}".replace("~", "~0"), "unknown_field", f"Not known here. Use {', '.join(allowed)}.")
        for name in body
        if name not in allowed
    ]
    faults += [Fault(f"/{name}", "required", "This field is needed.") for name in needed if name not in body]
    if faults:
        raise InvalidInput(faults)
    return dict(body)


def _check(fields: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    faults: list[Fault] = []
    for name, kind in kinds.items():
        value = fields.get(name)
        accepted = (int, float) if kind is float else kind
        if name in fields and (not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool)):
            faults.append(Fault(f"/{name}", "type", f"Expected {_KINDS[kind]}."))
    if faults:
        raise InvalidInput(faults)


def _numbers(values: object, side: str) -> list[float | None]:
    if not isinstance(values, list):
        raise InvalidInput.at(f"/{side}", "type", "Expected a list of numbers.")
    if all(type(value) in (float, int) for value in values):
        return values
    found: list[float | None] = []
    faults: list[Fault] = []
    for place, value in enumerate(values):
        if isinstance(value, str) and value in _WORDS:
            found.append(_WORDS[value])
        elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            found.append(value)
        elif len(faults) < 100:
            faults.append(Fault(f"/{side}/{place}", "number", "Expected a number, null, NaN, Infinity or -Infinity."))
    if faults:
        raise InvalidInput(faults)
    return found


def _check_verdicts(fields: Mapping[str, Any]) -> None:
    for side in ("before", "after"):
        verdicts = fields[side]
        if not isinstance(verdicts, dict) or not all(isinstance(category, str) for category in verdicts.values()):
            raise InvalidInput.at(f"/{side}", "type", "Expected an object: run id → category, both text.")
