"""The operators of the filter language: from an operand to a test of what stands at a path."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from vectors.fields import json_type

MAX_CHOICES = 1_000

Values = Sequence[Any]
"""What stands at a path in one item."""

Test = Callable[[Values], bool]

_SCALARS = frozenset({str, int, float, bool, type(None)})


def identity(value: Any) -> Hashable:
    """Return what two JSON values have in common just when they are equal: type and content, 1 and 1.0 being one."""
    if type(value) is str:
        return value
    if type(value) in (int, float):
        return ("number", value)
    if type(value) is list:
        return ("array", tuple(identity(one) for one in value))
    if type(value) is dict:
        return ("object", frozenset((name, identity(one)) for name, one in value.items()))
    return ("constant", value)  # true, false, null


def _equals(operand: object) -> Test:
    return _among([operand])


def _among(operand: object) -> Test:
    if not isinstance(operand, list):
        raise ValueError(f"An array of values is expected here, not {json_type(operand)}.")
    if len(operand) > MAX_CHOICES:
        raise ValueError(f"At most {MAX_CHOICES} values are possible here, these are {len(operand)}.")
    wanted = {identity(one) for one in operand}
    sizes = {(type(one), len(one)) for one in operand if type(one) in (list, dict)}

    def is_wanted(value: Any) -> bool:
        # The identity of an array is several times as large as the array: first see whether it can be equal to one.
        if type(value) in (list, dict) and (type(value), len(value)) not in sizes:
            return False
        return identity(value) in wanted

    def test(values: Values) -> bool:
        return any(is_wanted(value) or (type(value) is list and any(map(is_wanted, value))) for value in values)

    return test


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[object], Test]:
    def build(operand: object) -> Test:
        if type(operand) not in (int, float, str):
            raise ValueError(f"A number or a string is expected here, not {json_type(operand)}.")
        comparable = (str,) if type(operand) is str else (int, float)
        return lambda values: any(type(value) in comparable and compare(value, operand) for value in values)

    return build


def _exists(operand: object) -> Test:
    if type(operand) is not bool:
        raise ValueError(f"true or false is expected here, not {json_type(operand)}.")
    return lambda values: bool(values) is operand


def _contains(operand: object) -> Test:
    if isinstance(operand, (list, dict)):
        raise ValueError(f"A string, a number, true, false or null is expected here, not {json_type(operand)}.")
    wanted = identity(operand)

    def test(values: Values) -> bool:
        return any(
            (type(value) is str and type(operand) is str and operand in value)
            or (type(value) is list and any(type(one) in _SCALARS and identity(one) == wanted for one in value))
            for value in values
        )

    return test


OPPOSITES = {"$ne": "$eq", "$nin": "$in"}
OPERATORS: dict[str, Callable[[object], Test]] = {
    "$eq": _equals,
    "$gt": _ordered(operator.gt),
    "$gte": _ordered(operator.ge),
    "$lt": _ordered(operator.lt),
    "$lte": _ordered(operator.le),
    "$in": _among,
    "$exists": _exists,
    "$contains": _contains,
}
