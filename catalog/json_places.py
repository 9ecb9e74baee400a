"""Reading the protocol's JSON strictly: what is not as it must be is named with its place and refused."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from catalog.errors import BadCatalogRequest
from vectors.fields import escape, json_type

INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1
INT64_MIN: Final = -(2**63)
# Serializers give up at 254 levels (orjson) or at the interpreter's own limit; metadata wraps a few around this.
MAX_DEPTH: Final = 200


def wrong_type(pointer: str, value: object, expected: str) -> BadCatalogRequest:
    """Return the error for a value of another type than `expected` (with its article)."""
    return BadCatalogRequest(f"{pointer or '/'}: Expected {expected}, not {json_type(value)}.", pointer=pointer)


def check_json(value: object, pointer: str) -> None:
    """Refuse what cannot be written as JSON again, or not in a way that every engine reads.

    Parameters
    ----------
    value
        Anything a JSON parser returned; not changed.
    pointer
        Its place in the body.

    Raises
    ------
    BadCatalogRequest
        More than `MAX_DEPTH` levels, an integer beyond 64 bits, NaN or infinity, or a lone surrogate.

    Notes
    -----
    Linear in the size of `value`; does not recurse.
    """
    stack: list[Iterator[tuple[str | int, object]]] = [iter([("", value)])]
    trail: list[str | int] = []
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            if trail:
                trail.pop()
            continue
        name, found = entry
        trail.append(name)
        if type(found) in (dict, list):
            if len(stack) > MAX_DEPTH:
                raise _fault(pointer, trail[:8], f"The JSON is nested deeper than {MAX_DEPTH} levels.")
            stack.append(_entries(found))
            continue
        fault = _leaf_fault(found)
        if fault:
            raise _fault(pointer, trail, fault)
        trail.pop()


def _entries(value: Any) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if type(name) is not str or not is_encodable(name):
                raise BadCatalogRequest("A field's name is no text that UTF-8 can hold.")
            yield name, inner
    else:
        yield from enumerate(value)


def _leaf_fault(value: object) -> str | None:
    if type(value) is str:
        return None if is_encodable(value) else "The text contains a lone surrogate."
    if type(value) is int:
        return None if INT64_MIN <= value <= INT64_MAX else "The number does not fit into 64 bits."
    if type(value) is float:
        return None if math.isfinite(value) else "The number is not finite."
    if value is None or type(value) is bool:
        return None
    return "This is no JSON value."


def _fault(pointer: str, trail: list[str | int], detail: str) -> BadCatalogRequest:
    place = pointer + "".join(f"/{escape(part)}" for part in trail[1:])
    return BadCatalogRequest(f"{place or '/'}: {detail}", pointer=place)


def is_encodable(text: str) -> bool:
    """Return whether UTF-8 can hold the text: it has no lone surrogate."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


class Place:
    """A JSON object and where it stands in the body. Null counts as absent.

    Parameters
    ----------
    value
        What is there.
    pointer
        RFC 6901 pointer to it.

    Raises
    ------
    BadCatalogRequest
        At once, when it is no object; by every method, when what it reads is not what it must be.
    """

    __slots__ = ("pointer", "value")

    def __init__(self, value: object, pointer: str) -> None:
        if not isinstance(value, Mapping):
            raise wrong_type(pointer, value, "an object")
        self.value: Mapping[str, Any] = value
        self.pointer = pointer

    def at(self, name: str | int) -> str:
        """Return the pointer to a field."""
        return f"{self.pointer}/{escape(name)}"

    def fault(self, name: str, detail: str) -> BadCatalogRequest:
        """Return the error for a field; `detail` is said as it is, because clients match on wordings."""
        return BadCatalogRequest(detail, pointer=self.at(name))

    def has(self, name: str) -> bool:
        """Return whether the field is there and not null."""
        return self.value.get(name) is not None

    def required(self, name: str, expected: str) -> Any:
        """Return a field's value; it must be there."""
        value = self.value.get(name)
        if value is None:
            raise self.fault(name, f"{self.at(name)}: This field is required: {expected}.")
        return value

    def integer(self, name: str, low: int = INT64_MIN, high: int = INT64_MAX) -> int:
        """Return an integer in low..high."""
        expected = f"a whole number from {low} to {high}"
        value = self.required(name, expected)
        if type(value) is not int:
            raise wrong_type(self.at(name), value, expected)
        if not low <= value <= high:
            raise self.fault(name, f"{self.at(name)}: {_shown(value)} is outside {low} to {high}.")
        return value

    def optional_integer(self, name: str, low: int = INT64_MIN, high: int = INT64_MAX) -> int | None:
        """Return an integer in low..high, None when absent."""
        return self.integer(name, low, high) if self.has(name) else None

    def text(self, name: str, *, may_be_empty: bool = False) -> str:
        """Return a text."""
        value = self.required(name, "a text")
        if type(value) is not str:
            raise wrong_type(self.at(name), value, "a text")
        if not value and not may_be_empty:
            raise self.fault(name, f"{self.at(name)}: This text must not be empty.")
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a text, None when absent."""
        return self.text(name, may_be_empty=True) if self.has(name) else None

    def boolean(self, name: str) -> bool:
        """Return a boolean."""
        value = self.required(name, "true or false")
        if type(value) is not bool:
            raise wrong_type(self.at(name), value, "true or false")
        return value

    def place(self, name: str) -> Place:
        """Return an object."""
        return Place(self.required(name, "an object"), self.at(name))

    def items(self, name: str) -> list[Any]:
        """Return an array."""
        value = self.required(name, "an array")
        if type(value) is not list:
            raise wrong_type(self.at(name), value, "an array")
        return value

    def optional_items(self, name: str) -> list[Any]:
        """Return an array, an empty one when absent."""
        return self.items(name) if self.has(name) else []

    def places(self, name: str) -> list[Place]:
        """Return an array of objects, an empty one when absent."""
        return [Place(item, f"{self.at(name)}/{i}") for i, item in enumerate(self.optional_items(name))]

    def integers(self, name: str, low: int = INT64_MIN, high: int = INT64_MAX) -> list[int]:
        """Return an array of integers in low..high."""
        found = self.items(name)
        for i, value in enumerate(found):
            if type(value) is not int or not low <= value <= high:
                raise wrong_type(f"{self.at(name)}/{i}", value, f"a whole number from {low} to {high}")
        return found

    def texts(self, name: str) -> list[str]:
        """Return an array of texts."""
        found = self.items(name)
        for i, value in enumerate(found):
            if type(value) is not str:
                raise wrong_type(f"{self.at(name)}/{i}", value, "a text")
        return found

    def properties(self, name: str) -> dict[str, str]:
        """Return an object of texts, an empty one when absent; a copy."""
        if not self.has(name):
            return {}
        inner = self.place(name)
        for key, value in inner.value.items():
            if type(value) is not str:
                raise wrong_type(inner.at(key), value, "a text")
        return dict(inner.value)


def _shown(value: int) -> str:
    # Python refuses to print integers of some thousand digits.
    return str(value) if abs(value) <= INT64_MAX else "a number beyond 64 bits"
