"""Reading JSON bodies strictly: every fault is collected with its place, none is guessed around."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from lakehouse_site.errors import Fault, InvalidInput, TooLarge

Choice = TypeVar("Choice", bound=str)

MAX_KEY_LENGTH = 512


def json_type(value: object) -> str:
    """Return what JSON calls a value, with its article."""
    names = {bool: "a boolean", str: "a string", list: "an array", dict: "an object", type(None): "null"}
    return names.get(type(value), "a number")


def escape(part: str | int) -> str:
    """Return one reference token of a JSON pointer (RFC 6901, section 3)."""
    return str(part).replace("~", "~0").replace("/", "~1")


class Fields:
    """The fields of one JSON object. Read what there may be, then call `check`. Null counts as absent.

    Parameters
    ----------
    body
        What was parsed.
    allowed
        Every field that may be there. Any other is a fault: a misspelt option must not be ignored.
    pointer
        The place of the object in the body.

    Raises
    ------
    InvalidInput
        At once, when `body` is not an object.
    """

    def __init__(self, body: object, allowed: Sequence[str], pointer: str = "") -> None:
        if not isinstance(body, dict):
            raise InvalidInput.at(pointer, "type", f"Expected a JSON object here, not {json_type(body)}.")
        self._body: dict[str, Any] = body
        self._pointer = pointer
        self.faults: list[Fault] = []
        for name in body:
            if name not in allowed:
                known = f"Known here: {', '.join(allowed)}." if allowed else "This call takes none."
                self.fault(name, "unknown_field", f"There is no such field. {known}")

    def has(self, name: str) -> bool:
        """Return whether the field is there and not null."""
        return self._body.get(name) is not None

    def raw(self, name: str) -> Any:
        """Return the value as it is, None when absent."""
        return self._body.get(name)

    def fault(self, name: str, code: str, detail: str) -> None:
        """Note a fault at a field, or at a path below one (``"items/17/vector"``)."""
        self.faults.append(Fault(f"{self._pointer}/{name}", code, detail))

    def check(self) -> None:
        """Raise `InvalidInput` with all faults, if there are any."""
        if self.faults:
            raise InvalidInput(self.faults)

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return an integer in low..high; required when there is no default."""
        value = self._body.get(name)
        if value is None and default is not None:
            return default
        if type(value) is not int:
            self._wrong_type(name, value, f"a whole number from {low} to {high}")
        elif not low <= value <= high:
            self.fault(name, "range", f"{value} is outside {low} to {high}.")
        else:
            return value
        return low

    def boolean(self, name: str, default: bool) -> bool:
        """Return a boolean."""
        value = self._or(name, default)
        if type(value) is not bool:
            self._wrong_type(name, value, "true or false")
            return default
        return value

    def number(self, name: str) -> float | None:
        """Return a finite number, None when absent or null."""
        value = self._body.get(name)
        if value is None:
            return None
        if type(value) not in (int, float):
            self._wrong_type(name, value, "a number")
            return None
        return float(value)

    def choice(self, name: str, choices: Sequence[Choice], default: Choice) -> Choice:
        """Return one of `choices`."""
        value = self._or(name, default)
        for choice in choices:
            if type(value) is str and value == choice:
                return choice
        self.fault(name, "choice", f"Expected one of {', '.join(choices)}.")
        return default

    def subset(self, name: str, choices: Sequence[str], default: Collection[str]) -> frozenset[str]:
        """Return an array of words that all stand in `choices`."""
        value = self._or(name, list(default))
        if type(value) is not list or not all(type(word) is str and word in choices for word in value):
            self.fault(name, "choice", f"Expected an array of words out of {', '.join(choices)}.")
            return frozenset(default)
        return frozenset(value)

    def text(self, name: str) -> str:
        """Return a required string."""
        value = self._body.get(name)
        if type(value) is not str:
            self._wrong_type(name, value, "a string")
            return ""
        return value

    def key(self, name: str) -> str:
        """Return a required item id."""
        value = self._body.get(name)
        problem = key_fault(value)
        if problem:
            self.fault(name, *problem)
            return ""
        return str(value)

    def keys(self, name: str, most: int) -> list[str]:
        """Return a required array of item ids, without repetitions, in order; `TooLarge` when there are too many."""
        value = self._body.get(name)
        if type(value) is not list:
            self._wrong_type(name, value, "an array of ids")
            return []
        if len(value) > most:
            raise TooLarge(
                f"{len(value)} ids are more than the {most} of one call. Send several calls, or raise "
                "LAKEHOUSE_MAX_BATCH_ITEMS."
            )
        for i, key in enumerate(value):
            problem = key_fault(key)
            if problem:
                self.fault(f"{name}/{i}", *problem)
        return [] if self.faults else list(dict.fromkeys(value))

    def _or(self, name: str, default: object) -> object:
        value = self._body.get(name)
        return default if value is None else value

    def _wrong_type(self, name: str, value: object, expected: str) -> None:
        if name in self._body:
            self.fault(name, "type", f"Expected {expected}, not {json_type(value)}.")
        else:
            self.fault(name, "required", f"This field is required: {expected}.")


def key_fault(key: object) -> tuple[str, str] | None:
    """Return code and detail of what is wrong with an item id, None when nothing is."""
    if type(key) is not str:
        return "type", f"An id is a string, not {json_type(key)}."
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        return "length", f"An id has 1 to {MAX_KEY_LENGTH} characters; this one has {len(key)}."
    if not key.isascii() or "\0" in key:
        if "\0" in key:
            return "nul", "An id must not contain the NUL character (U+0000)."
        if any("\ud800" <= character <= "\udfff" for character in key):
            return "surrogate", "An id must not contain a lone surrogate."
    return None
