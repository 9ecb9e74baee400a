"""Batches of items as an Arrow IPC stream, for callers that load millions: parsing one costs next to nothing.

A body comes from outside, so nothing of it is used before it is checked: compressed buffers, which may claim any size,
and dictionaries are refused by the headers of their messages, before Arrow makes room for them.
"""

from __future__ import annotations

import struct
from typing import Any

from lakehouse_site.errors import InvalidInput
from vectors.arrow_columns import batch_of, check_columns
from vectors.batches import Batch
from vectors.distances import Distance
from vectors.validation import refuse_large_batch

MEDIA_TYPE = "application/vnd.apache.arrow.stream"

# Positions of fields in the tables of Arrow's Message.fbs.
_HEADER, _COMPRESSION = 2, 3


def parse_stream(body: bytes, dimension: int, distance: Distance, max_items: int) -> Batch:
    """Return the items of a stream.

    Parameters
    ----------
    body
        An Arrow IPC stream, without compression and dictionaries: ``id`` strings, ``vector`` lists of floats,
        ``metadata``, which may be missing, JSON texts.
    dimension, distance
        Those of the index.
    max_items
        Most items in it.

    Raises
    ------
    InvalidInput
        It is no such stream, a column is wrong, or with a fault for every bad item.
    TooLarge
        It has more items.
    """
    import pyarrow as pa

    try:
        _refuse_unbounded(body)
        with pa.ipc.open_stream(pa.py_buffer(body)) as reader:
            check_columns(reader.schema, dimension)
            table = reader.read_all()
        refuse_large_batch(table.num_rows, max_items)
        table.validate(full=True)
        rows = table.combine_chunks().to_batches()
    except (pa.ArrowException, OSError, struct.error, ValueError, EOFError) as error:
        raise InvalidInput.at("", "arrow", f"This is no Arrow IPC stream: {error}.") from error
    if not rows:
        rows = [pa.RecordBatch.from_pylist([], schema=table.schema)]
    return batch_of(rows[0], dimension, distance, lambda i: f"/items/{i}")


def _refuse_unbounded(body: bytes) -> None:
    import pyarrow as pa

    for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(body)):
        if message.type == "dictionary":
            raise InvalidInput.at("", "arrow", "Dictionaries are not read here: send plain strings.")
        if message.type == "record batch" and _is_compressed(message):
            raise InvalidInput.at("", "arrow", "Compressed buffers are not read here: write the stream without.")


def _is_compressed(message: Any) -> bool:
    header = message.metadata.to_pybytes()
    root = struct.unpack_from("<I", header)[0]
    batch = _field(header, root, _HEADER)
    if batch is None:
        return False
    batch += struct.unpack_from("<I", header, batch)[0]
    return _field(header, batch, _COMPRESSION) is not None


def _field(table: bytes, start: int, number: int) -> int | None:
    """Return where a field of a flatbuffer's table stands, None where it is absent."""
    fields = start - struct.unpack_from("<i", table, start)[0]
    size = struct.unpack_from("<H", table, fields)[0]
    place = 4 + 2 * number
    offset = struct.unpack_from("<H", table, fields + place)[0] if place < size else 0
    return start + offset if offset else None
