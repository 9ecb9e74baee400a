"""Items that come as columns, checked by the rules for those that come as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import orjson

from lakehouse_site.errors import Fault, InvalidInput
from vectors.batches import MAX_METADATA_DEPTH, Batch
from vectors.distances import Distance, Float32Rows, FloatRows
from vectors.fields import json_type, key_fault
from vectors.lhv1 import one_line


def checked_batch(
    keys: Sequence[object],
    vectors: FloatRows,
    metadata: Sequence[str | None],
    distance: Distance,
    place: Callable[[int], str],
) -> Batch:
    """Return the items as a batch.

    Parameters
    ----------
    keys
        n ids; anything but a string is a fault.
    vectors
        Shape (n, d), any float. Not modified.
    metadata
        n JSON texts, None where an item has none. They are kept as they are, but for line breaks between tokens.
    distance
        That of the index.
    place
        Returns how the item at a position is named in faults.

    Raises
    ------
    InvalidInput
        With at least one fault for every bad item, in their order.
    """
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(vectors, "<f4")
    faults: list[tuple[int, Fault]] = []
    for i, (key, text) in enumerate(zip(keys, metadata, strict=True)):
        problem = key_fault(key)
        if problem:
            faults.append((i, Fault("id", *problem)))
        problem = metadata_fault(text) if text is not None else None
        if problem:
            faults.append((i, Fault("metadata", *problem)))
    faults += _faulty_vectors(narrow, distance)
    if faults:
        faults.sort(key=lambda pair: pair[0])
        raise InvalidInput([replace(fault, pointer=f"{place(i)}/{fault.pointer}") for i, fault in faults])
    texts = [one_line(text) if text is not None else None for text in metadata]
    return Batch([str(key) for key in keys], narrow, texts)


def _faulty_vectors(vectors: Float32Rows, distance: Distance) -> list[tuple[int, Fault]]:
    faults = []
    finite = np.isfinite(vectors)
    for i in np.flatnonzero(~finite.all(axis=1)).tolist():
        detail = f"Component {np.flatnonzero(~finite[i])[0]} is not a finite float32 (NaN, infinite, or beyond 3.4e38)."
        faults.append((i, Fault("vector", "not_finite", detail)))
    if distance == "cosine":
        for i in np.flatnonzero((vectors == 0).all(axis=1)).tolist():
            detail = "A zero vector has no direction, so it has no cosine distance."
            faults.append((i, Fault("vector", "zero_vector", detail)))
    return faults


def metadata_fault(text: str) -> tuple[str, str] | None:
    """Return code and detail of what is wrong with metadata as JSON text, None when nothing is."""
    try:
        value: object = orjson.loads(text)
    except ValueError as error:
        return "not_json", f"This is not JSON: {error}."
    if not isinstance(value, dict):
        return "type", f"Metadata is an object or null, not {json_type(value)}."
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:  # what it has read, it can write, but for this
        return "too_deep", f"Metadata are nested at most {MAX_METADATA_DEPTH} levels deep."
    return None
