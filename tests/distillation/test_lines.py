from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillation.lines import RAW_BYTES_KEPT, RawLine, read_lines


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def plainly(data: bytes, limit: int) -> list[tuple[int, bytes, int, int, bool, bool]]:
    """The lines of a stream, the slow and obvious way."""
    offset = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    parts = data[offset:].split(b"\n")
    lines = []
    for number, part in enumerate(parts, start=1):
        has_end = number < len(parts)
        if not part and not has_end:
            break
        offset += len(part) + has_end
        text = part[:-1] if has_end and part.endswith(b"\r") else part
        is_blank = not text.strip()
        is_long = len(text) > limit and not is_blank
        shown = text[:RAW_BYTES_KEPT] if is_long else b"" if is_blank else text
        lines.append((number, shown, len(text), offset, has_end, is_long))
    return lines


def summary(line: RawLine) -> tuple[int, bytes, int, int, bool, bool]:
    data = line.data if line.data.strip() else b""
    return line.number, data, line.size_bytes, line.end_offset, line.has_end, line.is_too_long


PIECES = st.lists(st.sampled_from([b"\n", b"\r\n", b"\r", b"a", b"}", b" ", b"\xef\xbb\xbf", b"xyz" * 9]), max_size=40)


@given(PIECES.map(b"".join), st.integers(1, 30), st.integers(1, 40))
def test_lines_are_those_of_the_whole_text_wherever_it_is_cut(data: bytes, size: int, limit: int) -> None:
    lines = list(read_lines(cut(data, size), limit))

    assert [summary(line) for line in lines] == plainly(data, limit)


@given(PIECES.map(b"".join), st.integers(1, 30))
def test_reading_on_from_any_line_gives_the_rest(data: bytes, limit: int) -> None:
    lines = list(read_lines([data], limit))

    for line in lines:
        rest = read_lines([data[line.end_offset :]], limit, first_number=line.number + 1, offset=line.end_offset)
        assert list(rest) == lines[line.number :]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("size", [7, 4096, 10**6])
def test_a_line_that_is_too_long_keeps_its_beginning_and_its_checksum(end: bytes, size: int) -> None:
    text = bytes(range(32, 127)) * 200 + b"}"

    first, *rest = read_lines(cut(text + end, size), 1_000)

    assert rest == []
    assert (first.is_too_long, first.size_bytes, first.looks_closed) == (True, len(text), True)
    assert first.data == text[:RAW_BYTES_KEPT]
    assert first.checksum == hashlib.sha256(text).hexdigest()


def test_a_line_of_exactly_the_limit_is_not_too_long() -> None:
    lines = list(read_lines([b"12345\r\n123456\n12345\n"], 5))

    assert [line.is_too_long for line in lines] == [False, True, False]
