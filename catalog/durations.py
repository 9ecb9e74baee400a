"""Spans of time as commands take them: `7d`, `12h`, `30m`, `45s`."""

from __future__ import annotations

import re
from datetime import timedelta

from lakehouse_site.errors import InvalidInput

_SPAN = re.compile(r"([0-9]{1,6})([smhd])")
MAX_DAYS = 36_500
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: str, *, name: str) -> timedelta:
    """Return a span of time of whole seconds, minutes, hours or days.

    Parameters
    ----------
    text
        A whole number of at most six digits, and one of ``s``, ``m``, ``h``, ``d``; ``0`` needs none. At most
        36,500 days.
    name
        The option it was given for, for the message.

    Raises
    ------
    InvalidInput
        It is none.
    """
    found = _SPAN.fullmatch("0s" if text == "0" else text)
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found is not None else None
    if span is None or span.days > MAX_DAYS:
        detail = f"{text!r} is no span of time of up to {MAX_DAYS} days. Write 7d, 12h, 30m or 45s."
        raise InvalidInput.at(name, "duration", detail)
    return span


def in_words(span: timedelta) -> str:
    """Return a span of time as `parse_duration` takes it, in the largest unit that is exact."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
