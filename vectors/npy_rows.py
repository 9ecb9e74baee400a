"""Vectors as the rows of a ``.npy`` file, with JSON lines beside it: ``{"id", "metadata"?}``, line i for row i."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lakehouse_site.errors import InvalidInput
from vectors.batches import Batch
from vectors.distances import Distance
from vectors.json_lines import numbered_lines, parse_lines

COUNT_LINES = 10_000


def read(file: Path, items: Path, dimension: int, distance: Distance, batch_items: int) -> Iterator[Batch]:
    """Yield the items.

    Parameters
    ----------
    file
        Shape (n, dimension), any float.
    items
        n lines that are not blank.
    dimension, distance
        Those of the index.
    batch_items
        Items of a batch.

    Raises
    ------
    InvalidInput
        The two do not fit each other or the index, or an item is wrong; its pointer starts with the number of its line.
    """
    vectors = _load_matrix(file, dimension)
    count = sum(len(chunk) for chunk in numbered_lines(items, COUNT_LINES))
    if count != len(vectors):
        detail = f"{file.name} has {len(vectors)} rows, {items.name} has {count} lines: row i belongs to line i."
        raise InvalidInput.at("", "length_mismatch", detail)
    row = 0
    for chunk in numbered_lines(items, batch_items):
        with np.errstate(over="ignore"):
            rows = np.asarray(vectors[row : row + len(chunk)]).astype("<f4")
        yield parse_lines(chunk, dimension, distance, rows)
        row += len(chunk)


def _load_matrix(file: Path, dimension: int) -> np.ndarray[Any, np.dtype[np.floating[Any]]]:
    try:
        vectors = np.load(file, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise InvalidInput.at("", "unreadable", f"{file} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError) as error:
        raise InvalidInput.at("", "not_npy", f"{file} is not a .npy file: {error}.") from error
    if not isinstance(vectors, np.ndarray):
        vectors.close()
        raise InvalidInput.at("", "not_npy", f"{file} is an archive of several arrays; one .npy file is needed.")
    if vectors.ndim != 2 or vectors.shape[1] != dimension or vectors.dtype.kind != "f":
        detail = (
            f"{file.name} holds {vectors.dtype} of shape {vectors.shape}; expected floats of shape (n, {dimension})."
        )
        raise InvalidInput.at("", "shape", detail)
    matrix: np.ndarray[Any, np.dtype[np.floating[Any]]] = vectors
    return matrix
