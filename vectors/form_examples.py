"""The examples of the API's forms, fitted to the index that a page is about: with its ids and its dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from vectors import indexes, items

_DECIMALS = 4


def fit_example(example: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the example of a call, such that it works for this index; unchanged where nothing stands in the way.

    Raises
    ------
    IndexNotFound
        There is no such index.
    """
    state = indexes.index_state(name=name)
    found, _ = items.list_items(state=state, cursor=None, limit=2, include=frozenset())
    keys = [item.key for item in found]
    fitted = dict(example)
    if "filter" in example:
        fitted["filter"] = {}
    if "vector" in example:
        del fitted["vector"]
        fitted = {"id": keys[0], **fitted} if keys else {"vector": _vector(0, state.dimension), **fitted}
    if "ids" in example and keys:
        fitted["ids"] = keys
    if "items" in example:
        fitted["items"] = [_fit_item(item, place, keys, state.dimension) for place, item in enumerate(example["items"])]
    if "dest" in example:
        alike = indexes.list_indexes().filter(dimension=state.dimension, distance=state.distance).exclude(name=name)
        fitted["dest"] = next(iter(alike.values_list("name", flat=True)), example["dest"])
    return fitted


def _fit_item(item: dict[str, Any], place: int, keys: list[str], dimension: int) -> dict[str, Any]:
    if "vector" in item:
        return {**item, "vector": _vector(place, dimension)}
    return {**item, "id": keys[place]} if place < len(keys) else item


def _vector(seed: int, dimension: int) -> list[float]:
    numbers = np.random.default_rng(seed).normal(size=dimension)
    return [float(number) for number in np.round(numbers, _DECIMALS)]
