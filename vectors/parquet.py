"""Parquet files with the columns ``id``, ``vector`` and perhaps ``metadata``, read and written in pieces.

pyarrow is imported where it is used: it takes a moment, which only imports and exports should pay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lakehouse_site.errors import Fault, InvalidInput
from vectors.arrow_json import metadata_texts, type_problem
from vectors.batches import Batch
from vectors.columns import checked_batch
from vectors.distances import Distance, FloatRows
from vectors.lhv1 import Page
from vectors.local_files import open_input

COLUMNS = ("id", "vector", "metadata")
READ_BYTES = 1024 * 1024
GROUP_ROWS = 4_096
GROUP_BYTES = 32 * 1024 * 1024


def read(file: Path, dimension: int, distance: Distance, batch_items: int) -> Iterator[Batch]:
    """Yield the items of a file.

    Parameters
    ----------
    file
        ``id``: strings. ``vector``: lists of floats, of a fixed size or not. ``metadata``, which may be missing:
        strings of JSON, or structs and maps, where fields of a struct that are null are left out.
    dimension, distance
        Those of the index.
    batch_items
        Items of a batch.

    Raises
    ------
    InvalidInput
        It is no Parquet file, a column is wrong, or an item; its pointer starts with its row, counted from 0, as
        ``row 17``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    open_input(file).close()  # its errors are clearer than those of Arrow
    try:
        with (
            pa.OSFile(str(file)) as source,
            # A buffer, for without one a whole row group is in memory, however large.
            pq.ParquetFile(
                source, buffer_size=READ_BYTES, pre_buffer=False, page_checksum_verification=True
            ) as parquet,
        ):
            columns = _check_columns(parquet.schema_arrow, dimension)
            first_row = 0
            for rows in parquet.iter_batches(batch_items, columns=columns):
                rows.validate(full=True)
                yield _batch(rows, dimension, distance, first_row)
                first_row += rows.num_rows
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput.at("", "not_parquet", f"{file} cannot be read as Parquet: {error}.") from error


def write(file: BinaryIO, pages: Iterable[Page], dimension: int) -> int:
    """Write the items and return their number.

    Parameters
    ----------
    file
        Empty and writable.
    pages
        The items. Metadata stand in the file as they are.
    dimension
        That of the vectors.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = (pa.string(), pa.list_(pa.float32(), dimension), pa.string())
    schema = pa.schema(
        [pa.field(name, of, nullable=name == "metadata") for name, of in zip(COLUMNS, types, strict=True)]
    )
    count = 0
    writer = pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False, write_page_checksum=True)
    try:
        for keys, vectors, metadata in _groups(pages):
            numbers = pa.array(np.frombuffer(b"".join(vectors), "<f4"))
            columns = [pa.array(keys, types[0]), pa.FixedSizeListArray.from_arrays(numbers, type=types[1])]
            columns.append(pa.array(metadata, types[2]))
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            count += len(keys)
        writer.close()
    except BaseException:
        with suppress(Exception):  # the file is lost anyway, and a writer left open would write when it is collected
            writer.close()
        raise
    return count


def _groups(pages: Iterable[Page]) -> Iterator[tuple[list[str], list[bytes], list[str | None]]]:
    """Yield ids, vectors and metadata of so many items as make one row group."""
    keys: list[str] = []
    vectors: list[bytes] = []
    metadata: list[str | None] = []
    size = 0
    for page in pages:
        keys += page.keys
        vectors.append(page.vectors)
        metadata += page.metadata
        size += len(page.vectors) + sum(len(text) for text in page.metadata if text is not None)
        if len(keys) >= GROUP_ROWS or size >= GROUP_BYTES:
            yield keys, vectors, metadata
            keys, vectors, metadata, size = [], [], [], 0
    if keys:
        yield keys, vectors, metadata


def _check_columns(schema: Any, dimension: int) -> list[str]:
    """Return the columns there are, or raise all that is wrong with them."""
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
            faults.append(Fault(f"column {name}", "missing_column", f"The file has no column {name}."))
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


def _batch(rows: Any, dimension: int, distance: Distance, first_row: int) -> Batch:
    keys = rows.column("id").to_pylist()
    vectors = _matrix(rows.column("vector"), dimension, first_row)
    if "metadata" in rows.schema.names:
        metadata = metadata_texts(rows.column("metadata"), lambda i: f"row {first_row + i}/metadata")
    else:
        metadata = [None] * len(keys)
    return checked_batch(keys, vectors, metadata, distance, lambda i: f"row {first_row + i}")


def _matrix(column: Any, dimension: int, first_row: int) -> FloatRows:
    """Return the vectors, shape (n, dimension), or raise every row that has none of this length."""
    import pyarrow.compute as pc

    faults = []
    for i, length in enumerate(pc.list_value_length(column).to_pylist()):
        if length is None:
            faults.append(Fault(f"row {first_row + i}/vector", "required", "The vector is null."))
        elif length != dimension:
            detail = f"Expected {dimension} numbers, got {length}."
            faults.append(Fault(f"row {first_row + i}/vector", "dimension", detail))
    if faults:
        raise InvalidInput(faults)
    numbers = column.flatten()
    for i in np.unique(np.flatnonzero(numbers.is_null().to_numpy(zero_copy_only=False)) // dimension).tolist():
        faults.append(Fault(f"row {first_row + i}/vector", "type", "A number of this vector is null."))
    if faults:
        raise InvalidInput(faults)
    matrix: FloatRows = numbers.to_numpy(zero_copy_only=False).reshape(-1, dimension)
    return matrix
