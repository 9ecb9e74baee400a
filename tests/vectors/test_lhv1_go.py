"""Files of versions 1 and 2: golden ones of the Go service, and what may be wrong with such a file."""

from __future__ import annotations

import io
import struct
from typing import Any

import orjson
import pytest

from lakehouse_site.errors import DamagedFile
from tests.vectors.lhv1_files import GOLDEN, go_file, read_all
from tests.vectors.test_coder_hnsw import export
from vectors.lhv1 import Description, IndexParams
from vectors.lhv1_reader import copy_graph, read_envelope, read_pages

# As the graphs have them, layer 0 from its beginning.
ORDER = {1: [1, 2, 4, 8, 10, 11, 5, 7], 2: [1, 2, 3, 4, 6, 8, 10, 11, 0, 5, 7, 9]}
GRAPH = export([[("a", [1.0, 2.0], ["b"]), ("b", [3.0, 4.0], ["a"]), ("c", [5.0, 6.0], [])]])
PARAMS: dict[str, Any] = {"name": "old", "dimension": 2, "distance": "cosine", "m": 16, "ef_search": 20}


def go(version: int, graph: bytes = GRAPH, **fields: Any) -> bytes:
    return go_file({"version": version, "params": PARAMS, "metadata": {"a": {"n": 1}}} | fields, graph)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("page_items", [1, 5, 1_000])
def test_golden_files_are_read_to_the_letter(version: int, page_items: int) -> None:
    data = (GOLDEN / f"v{version}.lhv1").read_bytes()

    assert read_all(data, page_items) == [
        (f"k{n}", label, struct.pack("<2f", n, 1), f'{{"n": {n}}}' if n % 3 else None)
        for label, n in enumerate(ORDER[version], start=1)
    ]


@pytest.mark.parametrize(("version", "count"), [(1, 8), (2, 12)])
def test_the_envelope_of_a_golden_file(version: int, count: int) -> None:
    with (GOLDEN / f"v{version}.lhv1").open("rb") as file:
        envelope = read_envelope(file)

        assert (envelope.version, envelope.count) == (version, count)
        assert envelope.description == Description(None, IndexParams("fixture", 2, "cosine", 16, 200, 20), 0, "")
        with pytest.raises(DamagedFile, match="no graph of hnswlib"):
            copy_graph(file, envelope, io.BytesIO())


@pytest.mark.parametrize("version", [1, 2])
def test_every_truncation_and_every_prolongation_is_noticed(version: int) -> None:
    data = (GOLDEN / f"v{version}.lhv1").read_bytes()
    for bad in [data[:length] for length in range(len(data))] + [data + b"\0", data + data]:
        with pytest.raises(DamagedFile):
            read_all(bad)


@pytest.mark.parametrize("version", [1, 2])
def test_a_changed_byte_never_leads_to_another_error(version: int) -> None:
    # There is no checksum in these versions: a changed number is a changed number.
    data = (GOLDEN / f"v{version}.lhv1").read_bytes()
    refused = 0
    for position in range(len(data)):
        for flip in (1, 0x80, 0xFF):
            try:
                read_all(data[:position] + bytes([data[position] ^ flip]) + data[position + 1 :])
            except DamagedFile:
                refused += 1

    assert refused > len(data)


def test_metadata_survive_to_the_letter() -> None:
    texts = ['{"n" : 123456789012345678901234567890, "x": [1E300, -0.0]}', '{"u":"\\u0000\\u00fc", "": {"": {}}}', "{}"]
    envelope = '{"version":2, "metadata" : {"a":%s, "\\u0062": %s ,"c":%s}, "ids": ["c", "b", "a"], "params":%s}'
    data = go_file((envelope % (*texts, orjson.dumps(PARAMS).decode())).encode(), GRAPH)

    assert [item[3] for item in read_all(data)] == texts


def test_ids_decide_in_version_2_and_metadata_in_version_1() -> None:
    assert [item[0] for item in read_all(go(2, ids=["c", "a"]))] == ["a", "c"]
    assert [item[0] for item in read_all(go(2, ids=[]))] == []
    assert [item[0] for item in read_all(go(2, ids=None, metadata=None))] == []
    assert [item[0] for item in read_all(go(1))] == ["a"]
    assert [item[0] for item in read_all(go(1, metadata=None))] == []
    assert read_all(go(1, metadata={"b": None})) == [("b", 1, struct.pack("<2f", 3, 4), None)]


def test_what_go_had_not_set_gets_its_default() -> None:
    params = {"name": "old", "dimension": 2, "distance": "cosine", "m": 0}
    file = io.BytesIO(go(1, params=params))

    found = read_envelope(file).description.params

    assert (found.m, found.ef_construction, found.ef_search) == (16, 200, 64)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (go(2, ids=["a", "nix", "nox"]), "no vector for the id 'nix' and 1 others"),
        (go(1, metadata={"nix": {}}), "no vector for the id 'nix'"),
        (go(2, ids=["a", "a"]), "twice"),
        (go(2), "ids is missing"),
        (go(2, ids="a"), "array of strings"),
        (go(2, ids={"a": 1}), "array of strings"),
        (go(2, ids=["a", 7]), "array of strings"),
        (go(1, ids=["a"]), "unknown fields"),
        (go(1, sections={}), "unknown fields"),
        (go(1, metadata=[]), "expected an object"),
        (go(1, metadata={"a": []}), "no object"),
        (go(1, params=None), "expected an object"),
        (go(1, params=PARAMS | {"dimension": 3}), "the vector of 'a' has 2 numbers, expected 3"),
        (go(1, params=PARAMS | {"dimension": 0}), "at least 1"),
        (go(1, params=PARAMS | {"dimension": True}), "whole number"),
        (go(1, params=PARAMS | {"dimension": 2.0}), "whole number"),
        (go(1, params=PARAMS | {"m": -1}), "whole number"),
        (go(1, params=PARAMS | {"distance": "l2"}), "not known"),
        (go(1, params=PARAMS | {"name": None}), "expected a string"),
        (go(1, graph=export([[("a", [1.0, 2.0], []), ("a", [1.0, 2.0], [])]])), "two items with the id 'a'"),
        (go(1, graph=GRAPH + b"\0"), "1 more bytes follow"),
        (go(1, graph=b""), "Byte 126: 1 bytes of a number should follow"),
        (go_file(b'{"version":1,"version":1,"params":{}}', GRAPH), "twice"),
        (go_file(b'{"version":1,"params":{"m":16,"m":16}}', GRAPH), "twice"),
        (go_file(b'{"version":1,"metadata":{"a":{},"\\u0061":{}},"params":{}}', GRAPH), "twice"),
        (go_file(b'{"version":1,"metadata":{"a":{"n":' + b"[" * 1_000 + b"]" * 1_000 + b"}}}", GRAPH), "malformed"),
        (go_file(b'{"version":1,"metadata":{"a":{"n":1e400}}}', GRAPH), "malformed"),
        (go_file(b'{"version":1,"metadata":{"a":{"n":"\\ud800"}}}', GRAPH), "malformed"),
        (go_file(b'{"version":1,"metadata":{"a":{"n":"\xff"}}}', GRAPH), "malformed"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, message: str) -> None:
    with pytest.raises(DamagedFile, match=message):
        read_all(data)


def test_pages_check_the_graph_also_without_verify() -> None:
    file = io.BytesIO(go(1, graph=GRAPH[:-3]))
    envelope = read_envelope(file)

    with pytest.raises(DamagedFile):
        list(read_pages(file, envelope))


def test_pages_have_the_size_that_is_asked_for() -> None:
    file = io.BytesIO((GOLDEN / "v2.lhv1").read_bytes())

    pages = list(read_pages(file, read_envelope(file), page_items=5))

    assert [len(page.keys) for page in pages] == [5, 5, 2]
