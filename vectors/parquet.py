"""Parquet files with the columns ``id``, ``vector`` and perhaps ``metadata``, read and written in pieces.

pyarrow is imported where it is used: it takes a moment, which only imports and exports should pay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lakehouse_site.errors import InvalidInput
from vectors.arrow_columns import COLUMNS, batch_of, check_columns
from vectors.batches import Batch
from vectors.distances import Distance
from vectors.lhv1 import Page
from vectors.local_files import open_input

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
            columns = check_columns(parquet.schema_arrow, dimension)
            first_row = 0
            for rows in parquet.iter_batches(batch_items, columns=columns):
                rows.validate(full=True)
                yield batch_of(rows, dimension, distance, partial(_row, first_row))
                first_row += rows.num_rows
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput.at("", "not_parquet", f"{file} cannot be read as Parquet: {error}.") from error


def _row(first: int, position: int) -> str:
    return f"row {first + position}"


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
