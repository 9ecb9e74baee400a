"""LHV1 files for tests."""

from __future__ import annotations

import io
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import orjson

from vectors.lhv1 import LENGTH, Description, IndexParams, Page, write
from vectors.lhv1_reader import read_envelope, read_pages, verify

GOLDEN = Path(__file__).parent / "golden"
DIMENSION = 2
DESCRIPTION = Description(
    uuid.UUID("0190f3a2-4c5d-7e6f-8a9b-0c1d2e3f4a5b"),
    IndexParams("fixture", DIMENSION, "cosine", 16, 200, 64),
    applied_seq=17,
    created_at="2026-03-01T12:00:00+00:00",
)
PAGES = [
    Page(
        ["k0", "ü\n\u2028", "日本"],
        np.array([3, 5, 6], np.int64),
        np.array([[1, -0.0], [1e-45, 3.4e38], [0.1, 2]], "<f4").tobytes(),
        ['{"n":123456789012345678901234567890,"x":1e300}', None, "{}"],
    ),
    Page(["\0"], np.array([17], np.int64), np.array([7.5, 1], "<f4").tobytes(), ['{"a":"\\u0000\\n","b":[{},null]}']),
]
GRAPH = b"what hnswlib saved"

Item = tuple[str, int, bytes, str | None]


def lhv1_bytes(
    pages: Iterable[Page] = PAGES, description: Description = DESCRIPTION, graph: bytes | None = GRAPH
) -> bytes:
    file = io.BytesIO()
    saved = io.BytesIO(graph) if graph is not None else None
    write(file, description, pages, graph=saved, make_scratch=io.BytesIO)
    return file.getvalue()


def items_of(pages: Iterable[Page]) -> list[Item]:
    found: list[Item] = []
    for page in pages:
        width = len(page.vectors) // len(page.keys) if page.keys else 0
        vectors = [page.vectors[i * width : (i + 1) * width] for i in range(len(page.keys))]
        found += zip(page.keys, page.labels.tolist(), vectors, page.metadata, strict=True)
    return found


def read_all(data: bytes, page_items: int = 1_000) -> list[Item]:
    """Read a file the way every reader does."""
    file = io.BytesIO(data)
    envelope = read_envelope(file)
    verify(file, envelope)
    return items_of(read_pages(file, envelope, page_items))


def go_file(envelope: object, graph: bytes) -> bytes:
    text = envelope if isinstance(envelope, bytes) else orjson.dumps(envelope)
    return b"LHV1" + LENGTH.pack(len(text)) + text + graph


def pages_of(items: Sequence[Item], page_items: int) -> list[Page]:
    chunks = [items[start : start + page_items] for start in range(0, len(items), page_items)]
    return [
        Page(
            [item[0] for item in chunk],
            np.array([item[1] for item in chunk], np.int64),
            b"".join([item[2] for item in chunk]),
            [item[3] for item in chunk],
        )
        for chunk in chunks
    ]


def scratch() -> io.BufferedRandom:
    return tempfile.TemporaryFile()
