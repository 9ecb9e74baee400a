"""Items from files, in batches, so that a file larger than memory can be loaded and a load simply be run again."""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from lakehouse_site.errors import Fault, InvalidInput
from vectors.batches import Batch, has_huge_number, parse_batch
from vectors.indexes import index_state
from vectors.rows import IndexState
from vectors.writes import add_items

BATCH_ITEMS = 1_000


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did; `count` is the number of items the index now has."""

    index: str
    read: int
    added: int
    updated: int
    count: int


def import_items(
    *,
    name: str,
    file: Path,
    items: Path | None = None,
    batch_items: int = BATCH_ITEMS,
    progress: Callable[[int], None] = lambda count: None,
) -> ImportResult:
    """Add the items of a file to an index.

    Parameters
    ----------
    name
        An index that exists.
    file
        JSON lines (``{"id", "vector" or "vector_b64", "metadata"?}``), or ``.npy`` of shape (n, dimension).
    items
        With ``.npy``: JSON lines (``{"id", "metadata"?}``), line i for row i.
    batch_items
        Each batch is one transaction.
    progress
        Called with the number of items of each finished batch.

    Raises
    ------
    IndexNotFound
        No index has this name.
    InvalidInput
        A line or a row is wrong; the pointer starts with the line number, as ``line 17``. The batches before stay.
    """
    state = index_state(name=name)
    if file.suffix == ".npy":
        if items is None:
            raise InvalidInput.at("", "items_missing", "A .npy file has no ids. Name them with --items FILE.jsonl.")
        batches = _npy_batches(state, file, items, batch_items)
    elif items is not None:
        raise InvalidInput.at("", "items_unused", "--items goes with a .npy file; JSON lines carry their own ids.")
    else:
        batches = _jsonl_batches(state, file, batch_items)
    read = added = updated = 0
    for batch in batches:
        result = add_items(state=state, batch=batch)
        read, added, updated = read + len(batch), added + result.added, updated + result.updated
        progress(len(batch))
    return ImportResult(name, read, added, updated, index_state(name=name).live_count)


def _jsonl_batches(state: IndexState, file: Path, size: int) -> Iterator[Batch]:
    with _open(file) as lines:
        numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
        while chunk := list(islice(numbered, size)):
            yield _parse(state, chunk)


def _npy_batches(state: IndexState, file: Path, items: Path, size: int) -> Iterator[Batch]:
    vectors = _load_matrix(file, state.dimension)
    with _open(items) as lines:
        count = sum(1 for line in lines if line.strip())
    if count != len(vectors):
        detail = f"{file.name} has {len(vectors)} rows, {items.name} has {count} lines: row i belongs to line i."
        raise InvalidInput.at("", "length_mismatch", detail)
    with _open(items) as lines:
        numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
        row = 0
        while chunk := list(islice(numbered, size)):
            with np.errstate(over="ignore"):
                rows = np.asarray(vectors[row : row + len(chunk)]).astype("<f4")
            yield _parse(state, chunk, rows)
            row += len(chunk)


def _load_matrix(file: Path, dimension: int) -> np.ndarray[Any, np.dtype[np.floating[Any]]]:
    try:
        vectors = np.load(file, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise InvalidInput.at("", "unreadable", f"{file} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise InvalidInput.at("", "not_npy", f"{file} is not a .npy file: {error}.") from error
    if vectors.ndim != 2 or vectors.shape[1] != dimension or vectors.dtype.kind != "f":
        detail = (
            f"{file.name} holds {vectors.dtype} of shape {vectors.shape}; expected floats of shape (n, {dimension})."
        )
        raise InvalidInput.at("", "shape", detail)
    matrix: np.ndarray[Any, np.dtype[np.floating[Any]]] = vectors
    return matrix


def _parse(state: IndexState, chunk: list[tuple[int, bytes]], rows: np.ndarray[Any, Any] | None = None) -> Batch:
    try:
        return _parse_with(orjson.loads, state, chunk, rows)
    except InvalidInput as error:
        raise _at_lines(error, chunk) from error


def _parse_with(
    loads: Callable[[bytes], Any], state: IndexState, chunk: list[tuple[int, bytes]], rows: np.ndarray[Any, Any] | None
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
    batch = parse_batch(parsed, state.dimension, state.distance)
    return _parse_with(json.loads, state, chunk, rows) if loads is orjson.loads and has_huge_number(batch) else batch


def _at_lines(error: InvalidInput, chunk: list[tuple[int, bytes]]) -> InvalidInput:
    faults = []
    for fault in error.faults:
        _, _, position, *rest = fault.pointer.split("/")
        pointer = "/".join([f"line {chunk[int(position)][0]}", *rest])
        faults.append(Fault(pointer, fault.code, fault.detail))
    return InvalidInput(faults)


def _open(file: Path) -> Any:
    try:
        return file.open("rb")
    except OSError as error:
        raise InvalidInput.at("", "unreadable", f"{file} cannot be read: {error.strerror}.") from error
