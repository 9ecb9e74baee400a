"""Moments as RFC 3339 writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_FORM = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:([0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_LEAP = "60"


def parse_rfc3339(text: str) -> datetime | None:
    """Return the moment a text names, in UTC; None when it names none.

    Parameters
    ----------
    text
        ``date-time`` of RFC 3339, section 5.6: a calendar date of the years 0001 to 9999, ``T``, the time, and an
        offset, which is required. A blank in the place of the ``T`` is ISO 8601 or neither, and refused. Digits of a
        second beyond the sixth are cut off. The second 60 is read, as the second after 59, where a leap second may
        stand: as the last of a month in UTC.

    References
    ----------
    RFC 3339, sections 5.6 to 5.8.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    is_leap = form[1] == _LEAP
    if is_leap:
        text = f"{text[:17]}59{text[19:]}"
    try:
        if text[-1] == "Z" and not is_leap:
            return datetime.fromisoformat(text)  # which reads the letters of others only as capitals
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return _after_leap(moment) if is_leap else moment


def _after_leap(moment: datetime) -> datetime | None:
    try:
        after = moment.replace(microsecond=0) + timedelta(seconds=1)
    except OverflowError:
        return None
    return after if (after.day, after.hour, after.minute, after.second) == (1, 0, 0, 0) else None
