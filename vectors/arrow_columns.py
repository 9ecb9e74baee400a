"""Items as columns of Arrow: ``id``, ``vector`` and perhaps ``metadata``, from Parquet files and from streams.

pyarrow is imported where it is used: it takes a moment, which only those who use it should pay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lakehouse_site.errors import Fault, InvalidInput
from vectors.arrow_json import metadata_texts, type_problem
from vectors.batches import Batch
from vectors.columns import checked_batch
from vectors.distances import Distance, FloatRows

COLUMNS = ("id", "vector", "metadata")


def check_columns(schema: Any, dimension: int) -> list[str]:
    """Return the columns there are.

    Raises
    ------
    InvalidInput
        With a fault for every column that is unknown, missing, there twice, or of a type that cannot be read.
    """
    faults = []
    for name in schema.names:
        if name not in COLUMNS:
            detail = f"There is no such field. Known here: {', '.join(COLUMNS)}; other data belong into metadata."
            faults.append(Fault(f"column {name}", "unknown_column", detail))
    for name in COLUMNS:
        found = schema.get_all_field_indices(name)
        if len(found) > 1:
            faults.append(Fault(f"column {name}", "repeated_column", "There are several columns of this name."))
        elif found:
            problem = _column_problem(name, schema.field(found[0]).type, dimension)
            if problem:
                faults.append(Fault(f"column {name}", "column_type", problem))
        elif name != "metadata":
            faults.append(Fault(f"column {name}", "missing_column", f"There is no column {name}."))
    if faults:
        raise InvalidInput(faults)
    return [name for name in COLUMNS if name in schema.names]


def _column_problem(name: str, of: Any, dimension: int) -> str | None:
    import pyarrow.types as kinds

    if name == "metadata":
        return type_problem(of)
    if name == "id":
        plain = of.value_type if kinds.is_dictionary(of) else of
        is_text = kinds.is_string(plain) or kinds.is_large_string(plain) or kinds.is_string_view(plain)
        return None if is_text else f"Expected strings, not {of}."
    is_list = kinds.is_list(of) or kinds.is_large_list(of) or kinds.is_fixed_size_list(of)
    if not is_list or not kinds.is_floating(of.value_type):
        return f"Expected lists of {dimension} floats (16, 32 or 64 bits), not {of}."
    if kinds.is_fixed_size_list(of) and of.list_size != dimension:
        return f"Expected lists of {dimension} numbers, not of {of.list_size}."
    return None


def batch_of(rows: Any, dimension: int, distance: Distance, place: Callable[[int], str]) -> Batch:
    """Return the items of a record batch, or a table of one chunk, whose columns `check_columns` has passed.

    Parameters
    ----------
    rows
        Validated by Arrow (`validate(full=True)`) where it comes from outside.
    dimension, distance
        Those of the index.
    place
        Returns how the item at a position is named in faults.

    Raises
    ------
    InvalidInput
        With at least one fault for every bad item.
    """
    keys = rows.column("id").to_pylist()
    vectors = _matrix(rows.column("vector"), dimension, place)
    if "metadata" in rows.schema.names:
        metadata = metadata_texts(rows.column("metadata"), lambda i: f"{place(i)}/metadata")
    else:
        metadata = [None] * len(keys)
    return checked_batch(keys, vectors, metadata, distance, place)


def _matrix(column: Any, dimension: int, place: Callable[[int], str]) -> FloatRows:
    """Return the vectors, shape (n, dimension), or raise every row that has none of this length."""
    import pyarrow.compute as pc

    faults = []
    lengths = pc.list_value_length(column)
    for i, length in enumerate(lengths.to_pylist() if not _is_uniform(column) else ()):
        if length is None:
            faults.append(Fault(f"{place(i)}/vector", "required", "The vector is null."))
        elif length != dimension:
            detail = f"Expected {dimension} numbers, got {length}."
            faults.append(Fault(f"{place(i)}/vector", "dimension", detail))
    if faults:
        raise InvalidInput(faults)
    numbers = column.flatten()
    holes = np.flatnonzero(numbers.is_null().to_numpy(zero_copy_only=False)) if numbers.null_count else np.empty(0, int)
    for i in np.unique(holes // dimension).tolist():
        faults.append(Fault(f"{place(i)}/vector", "type", "A number of this vector is null."))
    if faults:
        raise InvalidInput(faults)
    matrix: FloatRows = numbers.to_numpy(zero_copy_only=False).reshape(-1, dimension)
    return matrix


def _is_uniform(column: Any) -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_fixed_size_list(column.type) and not column.null_count)
