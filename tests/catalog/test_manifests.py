from __future__ import annotations

import io
import json
import zlib
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import LongType, NestedField, UUIDType

from catalog import avro_files
from catalog.errors import BadCatalogRequest
from catalog.manifests import DATA, data_file_paths, read_manifest_list

SCHEMA = Schema(NestedField(1, "a", LongType()), NestedField(2, "u", UUIDType()), NestedField(3, "v", UUIDType()))
SPEC = PartitionSpec(
    PartitionField(2, 1000, IdentityTransform(), "u"), PartitionField(3, 1001, IdentityTransform(), "v")
)
SYNC = bytes(range(16))
PATH = {"name": "file_path", "type": "string", "field-id": 100}
CONTENT = {"name": "content", "type": "int", "field-id": 134}
REFERENCED = {"name": "referenced_data_file", "type": ["null", "string"], "field-id": 143}


def written(folder: Path, codec: Any, version: Any = 2) -> tuple[bytes, bytes, list[str]]:
    """Return a manifest list, its manifest and the data files in it, as pyiceberg writes them."""
    where = PyArrowFileIO()
    paths = [f"file:///warehouse/t/data/{i}.parquet" for i in range(40)]
    output = where.new_output(f"{folder}/m.avro")
    with write_manifest(version, SPEC, SCHEMA, output, 7, codec) as writer:
        for path in paths:
            file = DataFile.from_args(
                content=DataFileContent.DATA,
                file_path=path,
                file_format=FileFormat.PARQUET,
                partition=Record(b"0" * 16, b"1" * 16),
                record_count=3,
                file_size_in_bytes=100,
                column_sizes={1: 5, 2: 6},
                lower_bounds={1: b"x"},
            )
            entry = ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=7, data_file=file)
            writer.add_entry(entry)
    target = where.new_output(f"{folder}/l.avro")
    with write_manifest_list(version, target, 7, None, 3, codec) as lists:
        lists.add_manifests([writer.to_manifest_file()])
    return (folder / "l.avro").read_bytes(), (folder / "m.avro").read_bytes(), paths


def pack(block: bytes, codec: str) -> bytes:
    if codec == "deflate":
        return zlib.compress(block)[2:-4]
    if codec == "zstandard":
        return zstandard.compress(block)
    if codec == "snappy":
        return bytes(pa.compress(block, codec="snappy", asbytes=True)) + zlib.crc32(block).to_bytes(4, "big")
    return block


def encoded(schema: Any, *records: Any) -> bytes:
    stream = io.BytesIO()
    for record in records:
        fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), record)
    return stream.getvalue()


def container(schema: Any, block: bytes, count: int, codec: str = "null") -> bytes:
    """Return an Avro file with one block, whether or not it holds what the schema says."""
    facts = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    packed = pack(block, codec)
    sizes = encoded({"type": "long"}, count, len(packed))
    return b"Obj\x01" + encoded({"type": "map", "values": "bytes"}, facts) + SYNC + sizes + packed + SYNC


def manifest_schema(fields: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of a manifest whose data files have these fields."""
    inner = {"type": "record", "name": "r2", "fields": fields}
    return {"type": "record", "name": "e", "fields": [{"name": "data_file", "type": inner, "field-id": 2}]}


def avro(fields: list[dict[str, Any]], records: list[Any], codec: str = "null") -> bytes:
    schema = manifest_schema(fields)
    return container(schema, encoded(schema, *({"data_file": one} for one in records)), len(records), codec)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_what_pyiceberg_writes_is_read(tmp_path: Path, codec: Any, version: int) -> None:
    manifest_list, manifest, paths = written(tmp_path, codec, version)

    found = read_manifest_list(manifest_list)

    assert [(one.path, one.length, one.content, one.added_snapshot_id) for one in found] == [
        (f"{tmp_path}/m.avro", len(manifest), DATA, 7)
    ]
    assert found[0].sequence_number == (3 if version == 2 else 0)
    assert list(data_file_paths(manifest)) == paths


@pytest.mark.parametrize("codec", ["null", "deflate", "zstandard", "snappy"])
def test_every_codec_of_the_reference_implementation_is_read(codec: str) -> None:
    paths = [f"file:///warehouse/{i}" for i in range(1000)]

    assert list(data_file_paths(avro([PATH], [{"file_path": one} for one in paths], codec))) == paths


def test_more_records_than_the_block_holds_are_damage() -> None:
    schema = manifest_schema([PATH])

    with pytest.raises(BadCatalogRequest):
        list(data_file_paths(container(schema, encoded(schema, {"data_file": {"file_path": "a"}}), 2**40)))


def test_files_that_deletes_refer_to_are_named_too() -> None:
    records = [
        {"file_path": "a", "content": 1, "referenced_data_file": "/etc/passwd"},
        {"file_path": "b", "content": 0, "referenced_data_file": None},
        {"file_path": "c", "content": 0, "referenced_data_file": ""},
    ]

    assert list(data_file_paths(avro([CONTENT, PATH, REFERENCED], records))) == ["a", "/etc/passwd", "b", "c"]


@pytest.mark.parametrize(
    "fields",
    [
        # Who goes by names reads one file, who goes by ids another.
        [{**PATH, "field-id": 999}, {"name": "other", "type": "string", "field-id": 100}],
        [PATH, {"name": "other", "type": "string", "field-id": 143}],
        [{**PATH, "field-id": 143}],
        [{"name": "path", "type": "string", "field-id": 100}],
        [PATH, {"name": "other", "type": "string", "field-id": "100"}],
        [PATH, {"name": "other", "type": "string", "field-id": 100.0}],
        [{**PATH, "type": "bytes"}],
        [CONTENT],
    ],
)
def test_a_file_that_readers_understand_differently_is_refused(fields: list[dict[str, Any]]) -> None:
    values = {"string": "x", "bytes": b"x", "int": 1}
    data = avro(fields, [{one["name"]: values[one["type"]] for one in fields}])

    with pytest.raises(BadCatalogRequest, match="cannot be read as a manifest"):
        list(data_file_paths(data))


def test_a_file_that_names_its_fields_but_not_their_ids_is_read() -> None:
    assert list(data_file_paths(avro([{"name": "file_path", "type": "string"}], [{"file_path": "a"}]))) == ["a"]


@pytest.mark.parametrize(
    "field",
    [
        {"name": "x", "type": {"type": "array", "items": "null"}},
        {"name": "x", "type": {"type": "array", "items": {"type": "record", "name": "empty", "fields": []}}},
        {"name": "x", "type": {"type": "fixed", "name": "f", "size": 2**60}},
        {"name": "x", "type": ["null", "e"]},
    ],
)
def test_a_schema_that_costs_without_bytes_is_refused(field: dict[str, Any]) -> None:
    with pytest.raises(BadCatalogRequest, match="its schema"):
        list(data_file_paths(container(manifest_schema([PATH, field]), b"\x02a" + b"\xff" * 9 + b"\x01", 1)))


@pytest.mark.parametrize("codec", ["deflate", "zstandard", "snappy"])
def test_a_bomb_is_refused(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro_files, "MAX_BLOCK_BYTES", 1_000_000)
    bomb = avro([PATH], [{"file_path": "a" * 5_000_000}], codec)
    assert len(bomb) < 300_000

    with pytest.raises(BadCatalogRequest, match="more than is allowed"):
        list(data_file_paths(bomb))


def test_more_records_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro_files, "MAX_RECORDS", 10)

    with pytest.raises(BadCatalogRequest, match="more than is allowed"):
        list(data_file_paths(avro([PATH], [{"file_path": "a"}] * 11)))


def test_the_error_names_the_file() -> None:
    with pytest.raises(BadCatalogRequest, match=r"^s3://lake/snap\.avro cannot be read as a manifest list"):
        read_manifest_list(b"PAR1", name="s3://lake/snap.avro")


SAMPLE = avro([CONTENT, PATH, REFERENCED], [{"file_path": f"f{i}", "content": 0} for i in range(5)], "deflate")


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_damage_is_refused_or_harmless_and_never_anything_else(data: st.DataObject) -> None:
    damaged = bytearray(SAMPLE[: data.draw(st.integers(0, len(SAMPLE)))])
    for position in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=4)) if damaged else ():
        damaged[position] = data.draw(st.integers(0, 255))
    for read in (read_manifest_list, data_file_paths):
        try:
            assert all(one is not None for one in read(bytes(damaged)))
        except BadCatalogRequest:
            continue
