"""Avro container files of strangers: read within limits, whatever their bytes say.

References
----------
Apache Avro specification, "Object Container Files" and "Schema Declaration".
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastavro
import orjson
import pyarrow as pa
import zstandard
from fastavro.schema import SchemaParseException

MAGIC: Final = b"Obj\x01"
SYNC_BYTES: Final = 16
MAX_BLOCK_BYTES: Final = 64 * 1024 * 1024
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
MAX_RECORDS: Final = 2_000_000
MAX_SCHEMA_BYTES: Final = 8 * 1024 * 1024
MAX_SCHEMA_NODES: Final = 20_000
MAX_SCHEMA_DEPTH: Final = 40
_PRIMITIVES: Final = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    RecursionError,
    SchemaParseException,
    StopIteration,
    TypeError,
    ValueError,
    pa.ArrowException,
    struct.error,
    zlib.error,
    zstandard.ZstdError,
)


class DamagedAvro(Exception):
    """The bytes are no Avro file, or one beyond the limits."""


@dataclass(frozen=True, slots=True)
class AvroFile:
    """A file's header: its schema, with nothing in it but types and field ids, and where the blocks begin."""

    schema: dict[str, Any]
    codec: str
    sync: bytes
    start: int


def read_header(data: bytes) -> AvroFile:
    """Read the header of a file.

    Raises
    ------
    DamagedAvro
        It is none, or its schema is one that could be made to cost without bytes to pay for it.
    """
    try:
        if data[:4] != MAGIC:
            raise DamagedAvro("it does not begin as an Avro file does")
        stream = io.BytesIO(data)
        stream.seek(4)
        facts = _metadata(stream)
        start = stream.tell() + SYNC_BYTES
        text = facts.get("avro.schema", b"")
        if len(text) > MAX_SCHEMA_BYTES or len(data) < start:
            raise DamagedAvro("its header is cut off or too large")
        schema, _ = _Checker().checked(orjson.loads(text), 0)
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise DamagedAvro("it does not hold records")
        return AvroFile(schema, facts.get("avro.codec", b"null").decode(), data[start - SYNC_BYTES : start], start)
    except DAMAGE as error:
        raise DamagedAvro(f"its header is damaged ({type(error).__name__})") from error


def _metadata(stream: io.BytesIO) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    while count := read_long(stream):
        if count < 0:
            count = -count
            read_long(stream)
        if count > 1000:
            raise DamagedAvro("its header has too many fields")
        for _ in range(count):
            name = _bytes(stream).decode()
            found[name] = _bytes(stream)
    return found


def _bytes(stream: io.BytesIO) -> bytes:
    length = read_long(stream)
    found = stream.read(length) if 0 <= length <= MAX_SCHEMA_BYTES else b""
    if len(found) != length:
        raise DamagedAvro("its header is cut off or too large")
    return found


def read_long(stream: io.BytesIO) -> int:
    """Read a zigzag variable-length integer."""
    value = shift = 0
    while True:
        byte = stream.read(1)
        if not byte or shift > 63:
            raise DamagedAvro("a number in it is cut off or too long")
        value |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return (value >> 1) ^ -(value & 1)


class _Checker:
    """Copies a schema, keeping types, names and field ids alone, and counts the least bytes of each type."""

    def __init__(self) -> None:
        self.nodes = 0
        self.serial = 0
        self.named: dict[str, dict[str, Any]] = {}

    def checked(self, schema: Any, depth: int) -> tuple[Any, int]:
        self.nodes += 1
        if self.nodes > MAX_SCHEMA_NODES or depth > MAX_SCHEMA_DEPTH:
            raise DamagedAvro("its schema is too large")
        if isinstance(schema, str):
            if schema in _PRIMITIVES:
                return schema, _PRIMITIVES[schema]
            if schema not in self.named:
                raise DamagedAvro("its schema names an unknown type")
            return self._named(self.named[schema])
        if isinstance(schema, list):
            found = [self.checked(one, depth + 1) for one in schema]
            return [one for one, _ in found], 1 + min((size for _, size in found), default=0)
        kind = schema["type"]
        if kind == "record":
            return self._record(schema, depth)
        if kind in ("array", "map"):
            key = "items" if kind == "array" else "values"
            inner, size = self.checked(schema[key], depth + 1)
            if kind == "array" and size == 0:
                raise DamagedAvro("its schema has an array of nothing")
            return {"type": kind, key: inner}, 1
        if kind in ("fixed", "enum"):
            return self._named(schema)
        return self.checked(kind, depth + 1)

    def _record(self, schema: Mapping[str, Any], depth: int) -> tuple[Any, int]:
        fields = []
        total = 0
        for one in schema["fields"]:
            inner, size = self.checked(one["type"], depth + 1)
            field: dict[str, Any] = {"name": str(one["name"]), "type": inner}
            if one.get("field-id") is not None:
                if type(one["field-id"]) is not int:  # some readers would take "100" for 100
                    raise DamagedAvro("its schema has a field id that is no whole number")
                field["field-id"] = one["field-id"]
            fields.append(field)
            total += size
        if len({one["name"] for one in fields}) != len(fields):
            raise DamagedAvro("its schema has a name twice")
        return {"type": "record", "name": f"record_{self._serial()}", "fields": fields}, total

    def _named(self, schema: Mapping[str, Any]) -> tuple[Any, int]:
        # Renamed, so that no name of a stranger has a meaning and each type stands by itself. Records are not kept by
        # name, so that no type can contain itself.
        self.named[str(schema["name"])] = dict(schema)
        name = f"{schema['type']}_{self._serial()}"
        if schema["type"] == "enum":
            return {"type": "enum", "name": name, "symbols": list(schema["symbols"])}, 1
        size = schema["size"]
        if type(size) is not int or not 0 <= size <= MAX_BLOCK_BYTES:
            raise DamagedAvro("its schema has a field of a wrong size")
        return {"type": "fixed", "name": name, "size": size}, size

    def _serial(self) -> int:
        self.serial += 1
        return self.serial


def read_records(data: bytes, header: AvroFile, wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the records of a file, block by block.

    Parameters
    ----------
    data
        The whole file.
    header
        From `read_header`.
    wanted
        A record's schema with some of the fields of `header.schema`; the others are skipped.

    Raises
    ------
    DamagedAvro
        While reading: a block is cut off, damaged, or unpacks to more than `MAX_BLOCK_BYTES`; all together are more
        than `MAX_FILE_BYTES` or `MAX_RECORDS`.
    """
    writer, reader = fastavro.parse_schema(header.schema), fastavro.parse_schema(wanted)
    stream = io.BytesIO(data)
    stream.seek(header.start)
    total_bytes = total_records = 0
    while stream.tell() < len(data):
        try:
            count, length = read_long(stream), read_long(stream)
            if count < 0 or not 0 <= length <= len(data):
                raise DamagedAvro("a block in it has a wrong size")
            packed = stream.read(length)
            if len(packed) != length or stream.read(SYNC_BYTES) != header.sync:
                raise DamagedAvro("a block in it is cut off")
            block = unpack(packed, header.codec)
            total_bytes += len(block)
            total_records += count
            if total_bytes > MAX_FILE_BYTES or total_records > MAX_RECORDS or count > len(block):
                raise DamagedAvro("it unpacks to more than is allowed")
            inner = io.BytesIO(block)
            for _ in range(count):
                record = fastavro.schemaless_reader(inner, writer, reader)
                if isinstance(record, dict):
                    yield record
            if inner.read(1):
                raise DamagedAvro("a block in it has bytes left over")
        except DAMAGE as error:
            raise DamagedAvro(f"a block in it is damaged ({type(error).__name__})") from error


def unpack(packed: bytes, codec: str) -> bytes:
    """Return what a block holds, up to `MAX_BLOCK_BYTES`.

    Raises
    ------
    DamagedAvro
        It holds more; the codec is none of null, deflate, zstandard and snappy.
    """
    if codec == "null":
        found = packed
    elif codec == "deflate":
        found = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, MAX_BLOCK_BYTES + 1)
    elif codec == "zstandard":
        found = _unpack_zstandard(packed)
    elif codec == "snappy":
        found = _unpack_snappy(packed[:-4])
    else:
        raise DamagedAvro(f"its blocks are packed with {codec[:30]!a}, which is not supported")
    if len(found) > MAX_BLOCK_BYTES:
        raise DamagedAvro("a block in it unpacks to more than is allowed")
    return found


def _unpack_zstandard(packed: bytes) -> bytes:
    reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    found = bytearray()
    while len(found) <= MAX_BLOCK_BYTES and (chunk := reader.read(1 << 20)):
        found += chunk
    return bytes(found)


def _unpack_snappy(packed: bytes) -> bytes:
    size = shift = 0
    for byte in packed[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if size > MAX_BLOCK_BYTES:
        raise DamagedAvro("a block in it unpacks to more than is allowed")
    found: bytes = pa.decompress(packed, decompressed_size=size, codec="snappy", asbytes=True)
    return found
