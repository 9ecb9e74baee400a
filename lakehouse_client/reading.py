"""From the server's JSON to dataclasses, whose fields say how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any, TypeVar

from lakehouse_client.errors import UnexpectedAnswer

T = TypeVar("T")


def convert(function: Callable[[Any], Any], *, name: str | None = None) -> Mapping[str, Any]:
    """Return the metadata of a field that is read by a function, under another name in JSON if one is given."""
    return {"convert": function} | ({"name": name} if name else {})


def read(cls: type[T], answer: object) -> T:
    """Return an instance of a dataclass; what it does not know in the answer is dropped.

    Raises
    ------
    UnexpectedAnswer
        `answer` is not an object, lacks a field, or a field has a value that cannot be read.
    """
    if not isinstance(answer, Mapping):
        raise UnexpectedAnswer(_mismatch(cls, f"expected an object, not {str(answer)[:80]!r}"))
    values: dict[str, Any] = {}
    for known in fields(cls):  # type: ignore[arg-type]
        name = known.metadata.get("name", known.name)
        if name in answer:
            function = known.metadata.get("convert", _as_is)
            try:
                values[known.name] = function(answer[name])
            except (TypeError, ValueError, AttributeError, OverflowError) as error:
                raise UnexpectedAnswer(_mismatch(cls, f"its field {name!r} cannot be read: {error}")) from None
        elif known.default is MISSING and known.default_factory is MISSING:
            raise UnexpectedAnswer(_mismatch(cls, f"it has no field {name!r}"))
    return cls(**values)


def as_mapping(answer: object) -> Mapping[str, Any]:
    """Return an answer that is an object, else raise `UnexpectedAnswer`."""
    if not isinstance(answer, Mapping):
        raise UnexpectedAnswer(f"Expected an object, the server answered {str(answer)[:80]!r}.")
    return answer


def value_of(answer: object, name: str, kind: type) -> Any:
    """Return one field of an answer, else raise `UnexpectedAnswer`."""
    value = as_mapping(answer).get(name)
    if not isinstance(value, kind):
        raise UnexpectedAnswer(f"The answer has no {name!r} of type {kind.__name__}. Does its version fit this client?")
    return value


def _mismatch(cls: type[object], what: str) -> str:
    return (
        f"The answer is not a {cls.__name__}: {what}. Does the base URL lead to a Lakehouse, and does its version fit "
        "this client?"
    )


def _as_is(value: Any) -> Any:
    return value


def time(value: Any) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def numbers(value: Any) -> tuple[float, ...] | None:
    return None if value is None else tuple(map(float, value))


def each(cls: type[T]) -> Callable[[Sequence[object]], tuple[T, ...]]:
    """Return a function that reads an array of such answers."""
    return lambda values: tuple(read(cls, value) for value in values)
