from __future__ import annotations

import io
import json
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_site.errors import DamagedFile
from tests.processes import ROOT
from tests.vectors import lhv1_files
from tests.vectors.lhv1_files import DESCRIPTION, DIMENSION, GOLDEN, PAGES, items_of, lhv1_bytes, read_all
from vectors.lhv1 import SECTIONS_START, Description, IndexParams, Page, write
from vectors.lhv1_reader import copy_graph, read_envelope, read_pages, verify

numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
characters = st.characters(exclude_categories=["Cs"])
plain = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(characters)
)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(characters), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(characters), values, max_size=4)
texts = (
    st.none()
    | st.sampled_from(["{}", '{\n "a":\r\n [1,\n2]}'])
    | st.builds(json.dumps, objects, ensure_ascii=st.booleans())
)
keys = st.text(characters, min_size=1, max_size=20)
items = st.lists(st.tuples(keys, st.lists(numbers, min_size=DIMENSION, max_size=DIMENSION), texts), max_size=12)


@given(items, st.integers(1, 5), st.integers(1, 5), st.none() | st.binary(max_size=50))
def test_what_is_written_is_read(
    drawn: list[tuple[str, list[float], str | None]], write_items: int, read_items: int, graph: bytes | None
) -> None:
    expected = [
        (key, 3 * i + 1, np.array(vector, "<f4").tobytes(), text) for i, (key, vector, text) in enumerate(drawn)
    ]

    data = lhv1_bytes(lhv1_files.pages_of(expected, write_items), graph=graph)
    found = read_all(data, read_items)

    spaced = [(*item[:3], item[3] and item[3].replace("\n", " ").replace("\r", " ")) for item in expected]
    assert found == spaced
    file, copied = io.BytesIO(data), io.BytesIO()
    envelope = read_envelope(file)
    copy_graph(file, envelope, copied)
    assert copied.getvalue() == (graph or b"")
    assert (envelope.version, envelope.count, envelope.description) == (3, len(expected), DESCRIPTION)


def test_the_golden_file_is_what_is_written_today_and_is_read_to_the_letter() -> None:
    golden = (GOLDEN / "v3.lhv1").read_bytes()

    assert golden == lhv1_bytes()
    assert read_all(golden, page_items=2) == items_of(PAGES)


def test_the_reader_in_the_documentation_reads_the_golden_file() -> None:
    page = (ROOT / "docs/reference/lhv1.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102

    found = names["read_lhv1"](GOLDEN / "v3.lhv1")

    assert found == [
        (key, np.frombuffer(vector, "<f4").tolist(), json.loads(text or "null"))
        for key, _, vector, text in items_of(PAGES)
    ]


def test_a_page_may_be_empty_and_so_may_an_index() -> None:
    empty = Page([], np.array([], np.int64), b"", [])

    assert read_all(lhv1_bytes([])) == read_all(lhv1_bytes([empty, empty])) == []
    assert read_all(lhv1_bytes([empty, *PAGES])) == items_of(PAGES)


@pytest.mark.parametrize(
    "pages",
    [
        [Page(["a"], np.array([1, 2], np.int64), b"\0" * 8, [None])],
        [Page(["a"], np.array([1], np.int64), b"\0" * 7, [None])],
        [Page(["a"], np.array([1], np.int64), b"\0" * 8, [])],
        [Page(["a", "b"], np.array([2, 2], np.int64), b"\0" * 16, [None, None])],
        [PAGES[1], PAGES[0]],
    ],
)
def test_pages_that_break_their_rules_are_not_written(pages: list[Page]) -> None:
    with pytest.raises(ValueError, match=r"numbers of labels|ascend"):
        lhv1_bytes(pages)


def test_a_description_that_is_too_long_is_not_written() -> None:
    params = IndexParams("n" * 4_000, DIMENSION, "cosine", 16, 200, 64)

    with pytest.raises(ValueError, match="room"):
        lhv1_bytes(description=Description(None, params, 0, ""))


def test_a_file_that_changes_after_it_was_verified_is_refused() -> None:
    file = io.BytesIO(lhv1_bytes())
    envelope = read_envelope(file)
    verify(file, envelope)
    file.truncate(SECTIONS_START + 30)

    with pytest.raises(DamagedFile):
        list(read_pages(file, envelope))


def test_a_line_longer_than_what_is_read_at_once() -> None:
    text = orjson.dumps({"a": "x" * 3_000_000}).decode()
    pages = [Page(["a", "b"], np.array([1, 2], np.int64), b"\0" * 16, [text, None])]

    assert read_all(lhv1_bytes(pages)) == items_of(pages)


@pytest.mark.slow
def test_a_file_much_larger_than_what_it_takes_in_memory(tmp_path: Path) -> None:
    dimension, page_items, count = 4_096, 256, 12_800
    block = np.random.default_rng(1).standard_normal((page_items, dimension)).astype("<f4").tobytes()

    def pages() -> Iterator[Page]:
        for start in range(0, count, page_items):
            numbers = range(start, start + page_items)
            labels = np.arange(start + 1, start + page_items + 1)
            yield Page(
                [f"k{i}" for i in numbers], labels, block, [f'{{"text":"{"x" * 500}","n":{i}}}' for i in numbers]
            )

    params = IndexParams("large", dimension, "cosine", 16, 200, 64)
    tracemalloc.start()
    try:
        with (tmp_path / "large.lhv1").open("w+b") as file:
            written = write(
                file, Description(None, params, 1, ""), pages(), graph=None, make_scratch=lhv1_files.scratch
            )
            envelope = read_envelope(file)
            verify(file, envelope)
            read = sum(len(page.keys) for page in read_pages(file, envelope))
            size = file.seek(0, 2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert written == read == count
    assert size > 200_000_000
    assert peak < 40_000_000
