"""Version 3: whatever was changed in a file, by accident or with care, is noticed."""

from __future__ import annotations

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_site.errors import DamagedFile
from tests.vectors.lhv1_files import GRAPH, PAGES, items_of, lhv1_bytes, read_all
from vectors.lhv1 import LENGTH, SECTIONS, SECTIONS_START, TRAILER_BYTES
from vectors.lhv1_reader import copy_graph, read_envelope, verify

ENVELOPE_START = 8


def test_every_changed_byte_is_noticed() -> None:
    data = lhv1_bytes()
    for position in range(len(data)):
        old = data[position]
        for new in {old ^ 1, old ^ 0x80, 0, 0x20, 0x31, 0x32, 0xFF, (old + 1) % 256} - {old}:
            with pytest.raises(DamagedFile):
                read_all(data[:position] + bytes([new]) + data[position + 1 :])


def test_every_truncation_and_every_prolongation_is_noticed() -> None:
    data = lhv1_bytes()
    for length in range(len(data)):
        with pytest.raises(DamagedFile):
            read_all(data[:length])
    for more in (b"\0", b" ", data):
        with pytest.raises(DamagedFile):
            read_all(data + more)


@given(st.data())
def test_a_range_of_zeros_or_of_other_bytes_is_noticed(data: st.DataObject) -> None:
    good = lhv1_bytes()
    start = data.draw(st.integers(0, len(good) - 1))
    length = data.draw(st.integers(1, len(good) - start))
    other = data.draw(st.just(b"\0" * length) | st.binary(min_size=length, max_size=length))
    bad = good[:start] + other + good[start + length :]

    if bad != good:
        with pytest.raises(DamagedFile):
            read_all(bad)


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**32 - 1])
def test_a_wrong_length_of_the_envelope_is_noticed(length: int) -> None:
    with pytest.raises(DamagedFile):
        read_all(b"LHV1" + LENGTH.pack(length) + lhv1_bytes()[8:])


def resealed(change: bytes, by: bytes, *, twice: bool = False) -> bytes:
    """Return a file whose envelope was changed by somebody who knows how to make checksums."""
    data = lhv1_bytes()
    text = data[ENVELOPE_START:SECTIONS_START].rstrip(b" ")
    assert text.count(change) >= 1
    envelope = text.replace(change, by, -1 if twice else 1).ljust(SECTIONS_START - ENVELOPE_START)
    head = data[:ENVELOPE_START] + envelope
    return head + data[len(head) : -TRAILER_BYTES] + hashlib.sha256(head).digest()


@pytest.mark.parametrize(
    ("change", "by"),
    [
        (b'"count":4', b'"count":4e0'),
        (b'"count":4', b'"count":4.0'),
        (b'"count":4', b'"count":-4'),
        (b'"count":4', b'"count":true'),
        (b'"count":4', b'"count":"4"'),
        (b'"count":4', b'"count":3'),
        (b'"count":4', b'"count":5'),
        (b'"count":4', b'"count":null'),
        (b'"count":4', b'"count":4,"count":4'),
        (b'"count":4', b'"count":9223372036854775808'),
        (b'"count":4', b'"count":' + b"9" * 200),
        (b'"count":4,', b""),
        (b'"version":3', b'"version":3.0'),
        (b'"version":3', b'"version":true'),
        (b'"version":3', b'"version":1'),
        (b'"version":3', b'"version":2'),
        (b'"version":3', b'"version":4'),
        (b'"version":3', b'"version":1,"version":3'),
        (b'"version":3', b'"version":NaN'),
        (b'"version":3,', b""),
        (b'"length":18', b'"length":1.8e1'),
        (b'"length":18', b'"length":19'),
        (b'"length":18', b'"length":-18'),
        (b'"length":18', b'"length":18,"length":18'),
        (b'"offset":4096', b'"offset":4095'),
        (b'"offset":4096', b'"offset":true'),
        (b'"dimension":2', b'"dimension":0'),
        (b'"dimension":2', b'"dimension":1'),
        (b'"dimension":2', b'"dimension":4611686018427387904'),
        (b'"cosine"', b'"manhattan"'),
        (b'"cosine"', b'["cosine"]'),
        (b'"name":"fixture"', b'"name":7'),
        (b'"m":16', b'"m":0'),
        (b'"m":16', b'"m":16,"m":16'),
        (b'"applied_seq":17', b'"applied_seq":-1'),
        (b'"uuid":"0190', b'"uuid":"x190'),
        (b'"uuid":"0190f3a2-4c5d-7e6f-8a9b-0c1d2e3f4a5b"', b'"uuid":17'),
        (b'"params":{', b'"params":[],"other":{'),
        (b'"sections":{', b'"sections":[],"other":{'),
        (b'"graph"', b'"graf"'),
        (b"{", b'{"deep":' + b"[" * 1_500 + b"]" * 1_500 + b","),
        (b"{", b"["),
    ],
)
def test_an_envelope_that_was_changed_with_care_is_refused(change: bytes, by: bytes) -> None:
    assert read_all(resealed(b'"count":4', b'"count": 4')) == items_of(PAGES)

    with pytest.raises(DamagedFile):
        read_all(resealed(change, by))


def with_section(name: str, content: bytes) -> bytes:
    """Return a sound file with another section of the same length."""
    data = lhv1_bytes()
    place = read_envelope(io.BytesIO(data)).sections[name]
    assert len(content) == place.length
    head = data[:SECTIONS_START].replace(place.sha256.encode(), hashlib.sha256(content).hexdigest().encode())
    body = data[SECTIONS_START : place.offset] + content + data[place.end : -TRAILER_BYTES]
    return head + body + hashlib.sha256(head).digest()


@pytest.mark.parametrize("name", SECTIONS)
def test_sections_that_do_not_belong_together_are_refused(name: str) -> None:
    data = lhv1_bytes()
    place = read_envelope(io.BytesIO(data)).sections[name]
    good = data[place.offset : place.end]
    assert read_all(with_section(name, good)) == items_of(PAGES)
    bad = {
        "ids": [good[:-1] + b" ", good.replace(b"\n", b" ", 1), good.replace(b'"k0"', b"1234"), b"\n" * len(good)],
        "metadata": [good[:-1] + b" ", b"\n" * len(good), good.replace(b"null", b"\xff\xff\xff\xff")],
        "labels": [bytes(len(good)), good[8:16] + good[:8] + good[16:], b"\xff" * len(good)],
    }

    for content in bad.get(name, []):
        with pytest.raises(DamagedFile):
            read_all(with_section(name, content))


def test_a_damaged_graph_is_noticed_while_it_is_copied() -> None:
    data = lhv1_bytes()
    file = io.BytesIO(data.replace(GRAPH, GRAPH.swapcase()))
    envelope = read_envelope(file)

    with pytest.raises(DamagedFile, match="graph"):
        copy_graph(file, envelope, io.BytesIO())
    with pytest.raises(DamagedFile, match="graph"):
        verify(file, envelope)
