"""Items that come as columns, checked by the rules for those that come as JSON."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import orjson

from lakehouse_site.errors import Fault, InvalidInput
from vectors.batches import MAX_METADATA_DEPTH, Batch, parse_batch
from vectors.distances import Distance, FloatRows
from vectors.fields import json_type
from vectors.lhv1 import one_line

POINTER = "/items"


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
    items = [
        {"id": key, "vector_b64": binascii.b2a_base64(row, newline=False).decode()}
        for key, row in zip(keys, narrow, strict=True)
    ]
    faults: list[tuple[int, Fault]] = []
    for i, text in enumerate(metadata):
        problem = metadata_fault(text) if text is not None else None
        if problem:
            faults.append((i, Fault("metadata", *problem)))
    batch = Batch([], narrow, [])
    try:
        batch = parse_batch(items, vectors.shape[1], distance, POINTER)
    except InvalidInput as error:
        for fault in error.faults:
            position, _, rest = fault.pointer.removeprefix(f"{POINTER}/").partition("/")
            faults.append((int(position), replace(fault, pointer=rest.replace("vector_b64", "vector"))))
    if faults:
        faults.sort(key=lambda pair: pair[0])
        raise InvalidInput([replace(fault, pointer=f"{place(i)}/{fault.pointer}") for i, fault in faults])
    return replace(batch, metadata=[one_line(text) if text is not None else None for text in metadata])


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
