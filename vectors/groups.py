"""Items sorted into a few groups by what their metadata says: the colours of a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

MAX_GROUPS = 8
"""More colours than this nobody tells apart; what is rarer goes together."""

MAX_LABEL = 40
MAX_KEYS = 50
OTHER, ABSENT = "other values", "none"
LITTLE = 0.25


@dataclass(frozen=True, slots=True)
class Grouping:
    """`labels` are the names of the groups, `of` says for each item which one is its own.

    The last of them may be `OTHER` and `ABSENT`; `n_own` is the number of those before.
    """

    labels: tuple[str, ...]
    of: tuple[int, ...]
    n_own: int


def keys_to_group_by(metadata: Sequence[Any]) -> list[str]:
    """Return the keys of these objects that hold plain values in some, those found in most items first.

    Parameters
    ----------
    metadata
        Parsed metadata, None where there is none.
    """
    found: Counter[str] = Counter()
    for one in metadata:
        if isinstance(one, dict):
            found.update(key for key, value in one.items() if _is_plain(value))
    return [key for key, _ in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_KEYS]]


def telling_key(metadata: Sequence[Any], keys: Sequence[str]) -> str | None:
    """Return the key whose groups tell most of an item; words go before numbers where they tell something.

    Notes
    -----
    What groups tell is their entropy in nats, without that of `OTHER` and `ABSENT`, times the share of the items that
    are in them. Below `LITTLE` that is next to nothing: 95 of 100 are in one group, or all have values of their own.
    """
    told = {key: _telling(group_by(metadata, key)) for key in keys}
    ranges = {key for key in keys if _is_range(_values(metadata, key))}
    return max(keys, key=lambda key: (key not in ranges and told[key] > LITTLE, told[key]), default=None)


def _telling(grouping: Grouping) -> float:
    counts = np.bincount(np.array(grouping.of, np.intp), minlength=len(grouping.labels))[: grouping.n_own]
    shares = counts[counts > 0] / max(len(grouping.of), 1)
    return float(-(shares * np.log(shares)).sum() * shares.sum())


def group_by(metadata: Sequence[Any], key: str) -> Grouping:
    """Sort items by the value they have at a key.

    Parameters
    ----------
    metadata
        Parsed metadata, None where there is none.
    key
        A key of the top level.

    Returns
    -------
    Grouping
        The `MAX_GROUPS` most frequent values, the most frequent first. Numbers of which there are more are cut into
        ranges that hold as many items each, from low to high.
    """
    values = _values(metadata, key)
    if _is_range(values):
        return _by_range(values)
    labels = [None if value is None else _label(value) for value in values]
    counts = Counter(label for label in labels if label is not None)
    own = [label for label, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_GROUPS]]
    return _grouping(own, [own.index(label) if label in own else None if label is None else -1 for label in labels])


def _values(metadata: Sequence[Any], key: str) -> list[Any]:
    return [one.get(key) if isinstance(one, dict) else None for one in metadata]


def _is_range(values: Sequence[Any]) -> bool:
    there = [value for value in values if value is not None]
    return all(_is_number(value) for value in there) and len(set(there)) > MAX_GROUPS


def _by_range(values: Sequence[Any]) -> Grouping:
    numbers = np.array([value for value in values if value is not None], np.float64)
    inner = np.quantile(numbers, [0.2, 0.4, 0.6, 0.8])
    edges = np.unique(inner)
    places = [None if value is None else int(np.searchsorted(edges, float(value), side="right")) for value in values]
    filled = sorted({place for place in places if place is not None})
    ends = []
    for place in filled:
        inside = [value for value, one in zip(values, places, strict=True) if one == place]
        ends.append(f"{_short(min(inside))} to {_short(max(inside))}")
    return _grouping(ends, [None if place is None else filled.index(place) for place in places])


def _grouping(own: Sequence[str], places: Sequence[int | None]) -> Grouping:
    """Return the grouping; a place of -1 means another value, None that there is none."""
    labels = list(own)
    extra: dict[int | None, int] = {}
    for place, label in ((-1, OTHER), (None, ABSENT)):
        if place in places:
            extra[place] = len(labels)
            labels.append(label)
    of = tuple(extra[place] if place is None or place < 0 else place for place in places)
    return Grouping(tuple(labels), of, len(own))


def _is_plain(value: object) -> bool:
    return isinstance(value, str | bool | int | float)


def _is_number(value: object) -> bool:
    # Beyond float64 an integer is grouped by its digits, like a word.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _label(value: object) -> str:
    """Return a value as text that can be shown, whatever it holds."""
    if isinstance(value, str):
        text = value.encode("utf-8", "backslashreplace").decode() or '""'  # lone surrogates have no bytes
    else:
        try:
            text = orjson.dumps(value).decode()
        except TypeError:  # an integer beyond 64 bits
            text = str(value) if isinstance(value, int) and value.bit_length() < 1_000 else type(value).__name__
    return text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 1]}…"


def _short(value: float) -> str:
    return f"{value:.6g}"
