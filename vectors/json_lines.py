"""Files of JSON lines: one item a line, ``{"id", "vector" or "vector_b64", "metadata"?}``."""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from lakehouse_site.errors import Fault, InvalidInput
from vectors.batches import Batch, has_huge_number, parse_batch
from vectors.distances import Distance, Float32Rows
from vectors.lhv1 import Page, one_line
from vectors.local_files import open_input

NumberedLine = tuple[int, bytes]

ROUNDS_TWICE = np.array(0x15AE43FD, "<u4").view("<f4")[()]
"""The one float32, but for its sign, that is not read back from its shortest decimal text, 7.038531e-26, by who reads a
float64 first and then rounds that: all 2**31 were tried."""


def read(file: Path, dimension: int, distance: Distance, batch_items: int) -> Iterator[Batch]:
    """Yield the items of a file.

    Parameters
    ----------
    file
        Blank lines are passed over.
    dimension, distance
        Those of the index.
    batch_items
        Items of a batch.

    Raises
    ------
    InvalidInput
        A line is wrong; the pointer starts with its number, counted from 1, as ``line 17``.
    """
    for chunk in numbered_lines(file, batch_items):
        yield parse_lines(chunk, dimension, distance)


def write(file: BinaryIO, pages: Iterable[Page], dimension: int) -> int:
    """Write the items and return their number.

    Parameters
    ----------
    file
        Empty and writable.
    pages
        The items. Metadata stand in the file as they are.
    dimension
        That of the vectors; each number is written with the fewest digits that give back the same float32.
    """
    count = 0
    for page in pages:
        rows = np.frombuffer(page.vectors, "<f4").astype(np.float32, copy=False).reshape(-1, dimension)
        for key, row, text in zip(page.keys, rows, page.metadata, strict=True):
            metadata = orjson.Fragment(one_line(text)) if text is not None else None
            vector = row if not (np.abs(row) == ROUNDS_TWICE).any() else row.astype(np.float64)
            line = {"id": key, "vector": vector, "metadata": metadata}
            file.write(orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE))
        count += len(page.keys)
    return count


def numbered_lines(file: Path, size: int) -> Iterator[list[NumberedLine]]:
    """Yield the lines that are not blank with their numbers, `size` at a time."""
    with open_input(file) as lines:
        numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
        while chunk := list(islice(numbered, size)):
            yield chunk


def parse_lines(
    chunk: Sequence[NumberedLine], dimension: int, distance: Distance, rows: Float32Rows | None = None
) -> Batch:
    """Return the items of these lines; with `rows`, row i is the vector of line i."""
    try:
        batch = _parse(orjson.loads, chunk, dimension, distance, rows)
        return _parse(json.loads, chunk, dimension, distance, rows) if has_huge_number(batch) else batch
    except InvalidInput as error:
        raise _at_lines(error, chunk) from error


def _parse(
    loads: Callable[[bytes], Any],
    chunk: Sequence[NumberedLine],
    dimension: int,
    distance: Distance,
    rows: Float32Rows | None,
) -> Batch:
    parsed = []
    for position, (_, line) in enumerate(chunk):
        try:
            parsed.append(loads(line))
        except ValueError as error:
            raise InvalidInput.at(f"/items/{position}", "json", f"This is not JSON: {error}.") from error
    if rows is not None:
        for item, row in zip(parsed, rows, strict=True):
            if isinstance(item, dict):
                item.pop("vector", None)
                item["vector_b64"] = binascii.b2a_base64(row.tobytes(), newline=False).decode()
    return parse_batch(parsed, dimension, distance)


def _at_lines(error: InvalidInput, chunk: Sequence[NumberedLine]) -> InvalidInput:
    faults = []
    for fault in error.faults:
        _, _, position, *rest = fault.pointer.split("/")
        pointer = "/".join([f"line {chunk[int(position)][0]}", *rest])
        faults.append(Fault(pointer, fault.code, fault.detail))
    return InvalidInput(faults)
