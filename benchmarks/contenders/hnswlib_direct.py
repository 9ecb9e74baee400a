"""The limit: hnswlib in the caller's own process, nothing stored, no metadata."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders.catalogue import Served
from benchmarks.data import Data, Float32s, K

CAPACITY = 1 << 17


def serve(stack: ExitStack, folder: Path, python: Path) -> Served:
    return Served({})


def make(config: dict[str, Any]) -> HnswlibDirect:
    return HnswlibDirect()


class HnswlibDirect:
    def __init__(self) -> None:
        self._indexes: dict[str, Any] = {}
        self._keys: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def version(self) -> str:
        return f"hnswlib {version('hnswlib')}"

    def create(self, name: str, dimension: int, *, indexed: bool, effort: int) -> None:
        import hnswlib

        index = hnswlib.Index("cosine", dimension)
        index.init_index(CAPACITY, M=16, ef_construction=200)
        self._indexes[name], self._keys[name] = index, []

    def drop(self, name: str) -> None:
        del self._indexes[name], self._keys[name]

    def batch(self, data: Data, low: int, high: int) -> Any:
        return data.vectors[low:high], data.keys[low:high]

    def add(self, name: str, batch: Any) -> None:
        vectors, keys = batch
        with self._lock:
            start = len(self._keys[name])
            self._keys[name] += keys
        # With fewer than four rows a thread hnswlib itself uses only one.
        self._indexes[name].add_items(vectors, np.arange(start, start + len(keys)), num_threads=os.cpu_count())

    def finish(self, name: str) -> None:
        pass

    def tune(self, name: str, effort: int) -> None:
        self._indexes[name].set_ef(effort)

    def question(self, name: str, vectors: Float32s, below: int | None) -> Any:
        return self._indexes[name], self._keys[name], vectors, 1 if len(vectors) == 1 else -1

    def ask(self, question: Any) -> Any:
        index, keys, vectors, threads = question
        return keys, index.knn_query(vectors, k=K, num_threads=threads)[0]

    def ids(self, answer: Any) -> list[list[str]]:
        keys, labels = answer
        return [[keys[label] for label in row] for row in labels.tolist()]
