from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from django.test import Client

from lakehouse_site.errors import InvalidInput, TooLarge
from tests.factories import found_keys, make_index
from vectors.arrow_stream import MEDIA_TYPE, parse_stream
from vectors.batches import Batch

URL = "/v1/vectors/index/docs/add"


def stream(table: pa.Table, *, chunk: int | None = None, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=chunk)
    return bytes(sink.getvalue().to_pybytes())


def table_of(
    vectors: Sequence[Sequence[float | None] | None],
    ids: Sequence[str | None] | None = None,
    metadata: Sequence[str | None] | None = None,
    kind: pa.DataType | None = None,
) -> pa.Table:
    columns = {
        "id": pa.array(ids if ids is not None else [f"i{n}" for n in range(len(vectors))], pa.string()),
        "vector": pa.array(vectors, kind or pa.list_(pa.float32(), 2)),
    }
    if metadata is not None:
        columns["metadata"] = pa.array(metadata, pa.string())
    return pa.table(columns)


def parse(body: bytes, most: int = 100) -> Batch:
    return parse_stream(body, 2, "cosine", most)


def faults(body: bytes) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        parse(body)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.float32(), 2), pa.list_(pa.float32()), pa.list_(pa.float64()), pa.large_list(pa.float16())],
    ids=str,
)
def test_a_stream_becomes_a_batch(kind: pa.DataType) -> None:
    table = table_of([[1, 2], [0.5, -3], [4, 5]], ["a", "ü", "c"], ['{"n":1}', None, "{}"], kind)

    batch = parse(stream(table, chunk=2))

    assert batch.keys == ["a", "ü", "c"]
    assert batch.vectors.dtype == np.float32
    assert batch.vectors.tolist() == [[1, 2], [0.5, -3], [4, 5]]
    assert batch.metadata == ['{"n":1}', None, "{}"]


def test_metadata_may_be_absent_and_a_stream_empty() -> None:
    assert parse(stream(table_of([[1, 2]]))).metadata == [None]
    assert len(parse(stream(table_of([])))) == 0


def test_every_bad_item_is_named() -> None:
    vectors: list[list[float]] = [[1, 2], [float("nan"), 1], [0, 0], [1, 1], [1, 1], [3e38, 1]]
    ids = ["", "b", "c", None, "e", "f"]
    metadata = [None, None, None, None, "[1]", "{"]

    assert faults(stream(table_of(vectors, ids, metadata))) == [
        ("/items/0/id", "length"),
        ("/items/1/vector", "not_finite"),
        ("/items/2/vector", "zero_vector"),
        ("/items/3/id", "type"),
        ("/items/4/metadata", "type"),
        ("/items/5/metadata", "not_json"),
    ]


def test_a_number_beyond_float32_is_not_finite() -> None:
    assert faults(stream(table_of([[1e300, 1]], kind=pa.list_(pa.float64())))) == [("/items/0/vector", "not_finite")]


def test_missing_numbers_and_vectors_of_another_length_are_named() -> None:
    ragged = table_of([[1, 2], [1], None, [1, 2, 3]], kind=pa.list_(pa.float32()))

    assert faults(stream(ragged)) == [
        ("/items/1/vector", "dimension"),
        ("/items/2/vector", "required"),
        ("/items/3/vector", "dimension"),
    ]
    assert faults(stream(table_of([[1, None]], kind=pa.list_(pa.float32())))) == [("/items/0/vector", "type")]
    assert faults(stream(table_of([[1, 2], None]))) == [("/items/1/vector", "required")]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (pa.table({"id": ["a"]}), [("column vector", "missing_column")]),
        (pa.table({"id": [1], "vector": [[1.0, 2.0]]}), [("column id", "column_type")]),
        (table_of([[1, 2, 3]], kind=pa.list_(pa.float32(), 3)), [("column vector", "column_type")]),
        (pa.table({"id": ["a"], "vector": [[1, 2]]}), [("column vector", "column_type")]),
        (table_of([[1, 2]]).append_column("year", pa.array([1])), [("column year", "unknown_column")]),
    ],
    ids=["missing", "id", "dimension", "integers", "unknown"],
)
def test_wrong_columns_are_named(table: pa.Table, expected: list[tuple[str, str]]) -> None:
    assert faults(stream(table)) == expected


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_compressed_buffers_are_refused_before_room_is_made_for_them(compression: str) -> None:
    assert faults(stream(table_of([[1, 2]] * 50), compression=compression)) == [("", "arrow")]


def test_dictionaries_are_refused() -> None:
    table = pa.table({"id": pa.array(["a", "b"]).dictionary_encode(), "vector": table_of([[1, 2], [3, 4]])["vector"]})

    assert faults(stream(table)) == [("", "arrow")]


def test_more_items_than_a_batch_takes_are_too_large() -> None:
    with pytest.raises(TooLarge):
        parse(stream(table_of([[1, 2]] * 11)), most=10)


@pytest.mark.parametrize("body", [b"", b"abc", b"\0" * 64, b"\xff" * 64, b'{"items": []}', b"ARROW1\0\0"])
def test_what_is_no_stream_is_refused(body: bytes) -> None:
    assert faults(body) == [("", "arrow")]


def test_whatever_bytes_come_the_answer_is_a_batch_or_a_refusal() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201
    rng = random.Random(seed)
    body = stream(table_of([[1, 2]] * 40, metadata=['{"n":1}'] * 40))
    refused = 0
    for _ in range(2_000):
        changed = bytearray(body)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        if rng.random() < 0.2:
            del changed[rng.randrange(len(changed)) :]
        try:
            parse(bytes(changed))
        except (InvalidInput, TooLarge):
            refused += 1
    assert refused > 500


@pytest.mark.usefixtures("vectors_db")
def test_a_stream_is_added_over_http() -> None:
    make_index(dimension=2)
    body = stream(table_of([[1, 0], [0, 1]], ["a", "b"], ['{"n":1}', None]))

    answer = Client().post(URL, body, content_type=MEDIA_TYPE)

    assert (answer.status_code, answer.json()) == (200, {"added": 2, "updated": 0, "count": 2, "seq": 2})
    assert found_keys("docs", [0, 1], k=1) == ["b"]


@pytest.mark.usefixtures("vectors_db")
def test_a_wrong_stream_over_http_changes_nothing() -> None:
    make_index(dimension=2)

    answer = Client().post(URL, stream(table_of([[1, 0], [0, 0]])), content_type=MEDIA_TYPE)

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/items/1/vector"]
    assert Client().get("/v1/vectors/index/docs").json()["count"] == 0


def test_a_real_server_takes_streams_and_other_calls_do_not(
    shared_server: Any, make_http: Any, index_name: str
) -> None:
    client: httpx.Client = make_http(shared_server)
    client.post("/v1/vectors/index", json={"name": index_name, "dimension": 2})
    headers = {"Content-Type": MEDIA_TYPE}
    body = stream(table_of([[float(n), 1.0] for n in range(500)]))

    added = client.post(f"/v1/vectors/index/{index_name}/add", content=body, headers=headers)
    refused = client.post(f"/v1/vectors/index/{index_name}/search", content=body, headers=headers)

    assert added.json()["added"] == 500
    assert refused.status_code == 415
