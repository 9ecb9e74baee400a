from __future__ import annotations

import io
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_site.errors import DamagedFile
from vectors.coder_hnsw import CHUNK_BYTES, read_items

Node = tuple[str, list[float], list[str]]
LAYERS: list[list[Node]] = [
    [("a", [1.0, 2.0], ["b", "ü"]), ("b", [-0.5, 0.0], ["a"]), ("ü", [3.0, 4.0], [])],
    [("b", [-0.5, 0.0], [])],
]


def varint(number: int) -> bytes:
    number = number << 1 ^ number >> 63
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def text(value: str) -> bytes:
    return varint(len(value.encode())) + value.encode()


def export(layers: list[list[Node]], version: int = 1) -> bytes:
    """Write what coder/hnsw's Graph.Export writes."""
    parts = [varint(version), varint(16), struct.pack("<d", 0.25), varint(20), text("cosine"), varint(len(layers))]
    for layer in layers:
        parts.append(varint(len(layer)))
        for key, vector, neighbours in layer:
            parts += [text(key), varint(len(vector)), struct.pack(f"<{len(vector)}f", *vector)]
            parts += [varint(len(neighbours)), *map(text, neighbours)]
    return b"".join(parts)


def read(data: bytes, dimension: int = 2, before: bytes = b"") -> list[tuple[str, bytes]]:
    return list(read_items(io.BytesIO(before + data), len(before), len(before) + len(data), dimension))


@pytest.mark.parametrize("before", [b"", b"something else"])
def test_ids_and_vectors_of_the_lowest_layer_are_read(before: bytes) -> None:
    assert read(export(LAYERS), before=before) == [
        ("a", struct.pack("<2f", 1, 2)),
        ("b", struct.pack("<2f", -0.5, 0)),
        ("ü", struct.pack("<2f", 3, 4)),
    ]


@pytest.mark.parametrize("layers", [[], [[]]])
def test_an_empty_graph_has_no_items(layers: list[list[Node]]) -> None:
    assert read(export(layers)) == []


def test_a_graph_larger_than_what_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vector = [float(i) for i in range(CHUNK_BYTES // 4)]
    nodes: list[Node] = [(f"k{i}", vector, ["x" * 1_000] * 300) for i in range(5)]

    found = read(export([nodes]), dimension=len(vector))

    assert [key for key, _ in found] == [f"k{i}" for i in range(5)]
    assert {data for _, data in found} == {struct.pack(f"<{len(vector)}f", *vector)}


def test_every_truncation_is_refused() -> None:
    data = export(LAYERS)
    for length in range(len(data)):
        with pytest.raises(DamagedFile, match="Byte "):
            read(data[:length])


def test_a_changed_byte_is_refused_or_changes_what_was_read_and_nothing_else() -> None:
    data = export(LAYERS)
    for position in range(len(data)):
        for value in range(256):
            try:
                found = read(data[:position] + bytes([value]) + data[position + 1 :])
            except DamagedFile as error:
                assert str(error).startswith("Byte ")  # noqa: PT017
            else:
                assert all(len(vector) == 8 for _, vector in found)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    with suppress(DamagedFile):
        read(export([])[:1] + data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (export(LAYERS, version=2), "Byte 3: a graph of encoding version 1"),
        (export(LAYERS) + b"\0", "1 more bytes follow"),
        (export([[("a", [1.0], [])]]), "Byte 25: the vector of 'a' has 1 numbers, expected 2"),
        (export([])[:-1] + varint(2**62), f"Byte 21: {2**62} layers cannot follow, 0 bytes are left"),
        (export([])[:-1] + varint(-1) + b"rest", "Byte 21: -1 layers cannot follow"),
        (export([])[:-1] + b"\xff" * 10 + b"\0", "Byte 21: a number has at most 10 bytes"),
        (export([])[:-1] + b"\xff" * 9 + b"\x7f", "Byte 21: a number is beyond 64 bits"),
        (export([[("a", [1.0, 2.0], [])]]).replace(b"\x02a", b"\x02\xff"), "Byte 23: an id is not UTF-8"),
        (export([[("a", [1.0, 2.0], [])]])[:-5], "bytes of a vector should follow"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(DamagedFile, match=message):
        read(data, before=b"...")


def test_a_file_that_got_shorter_meanwhile_is_refused() -> None:
    data = export(LAYERS)
    with pytest.raises(DamagedFile, match="the file ends here"):
        list(read_items(io.BytesIO(data[:-10]), 0, len(data), 2))
