"""LanceDB in the caller's process, with its HNSW index over scalar-quantised vectors."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.contenders.catalogue import Served
from benchmarks.data import Data, Float32s, K

COLUMNS = ["key", "metadata", "_distance"]


def serve(stack: ExitStack, folder: Path, python: Path) -> Served:
    return Served({"folder": str(folder)}, folder=folder)


def make(config: dict[str, Any]) -> Lance:
    return Lance(config["folder"])


class Lance:
    def __init__(self, folder: str) -> None:
        os.environ.update(LANCE_LOG="error", RUST_LOG="error")
        import lancedb

        self._release = lancedb.__version__
        self._db = lancedb.connect(folder)
        self._tables: dict[str, Any] = {}
        self._effort = 64

    def version(self) -> str:
        return f"lancedb {self._release}"

    def create(self, name: str, dimension: int, *, indexed: bool, effort: int) -> None:
        self._tables[name] = self._db.create_table(name, schema=_schema(dimension))

    def drop(self, name: str) -> None:
        del self._tables[name]
        self._db.drop_table(name)

    def batch(self, data: Data, low: int, high: int) -> Any:
        import pyarrow as pa

        rows = pa.array(data.vectors[low:high].ravel())
        metadata = data.metadata[low:high]
        columns = {
            "key": data.keys[low:high],
            "vector": pa.FixedSizeListArray.from_arrays(rows, data.dimension),
            "metadata": [json.dumps(fields) for fields in metadata],
            "n": [fields["n"] for fields in metadata],
        }
        return pa.table(columns, schema=_schema(data.dimension))

    def add(self, name: str, batch: Any) -> None:
        self._tables[name].add(batch)

    def finish(self, name: str) -> None:
        from lancedb.index import HnswSq

        config = HnswSq(distance_type="cosine", num_partitions=1, m=16, ef_construction=200)
        table = self._tables[name]
        table.create_index("vector", config=config, replace=True)
        table.optimize()

    def tune(self, name: str, effort: int) -> None:
        self._effort = effort

    def question(self, name: str, vectors: Float32s, below: int | None) -> Any:
        query = self._tables[name].search(vectors[0]).distance_type("cosine").nprobes(1).ef(self._effort)
        query = query.limit(K).select(COLUMNS)
        return query if below is None else query.where(f"n < {below}", prefilter=True)

    def ask(self, question: Any) -> Any:
        return question.to_arrow()

    def ids(self, answer: Any) -> list[list[str]]:
        return [answer["key"].to_pylist()]


def _schema(dimension: int) -> Any:
    import pyarrow as pa

    vector = pa.list_(pa.float32(), dimension)
    return pa.schema([("key", pa.string()), ("vector", vector), ("metadata", pa.string()), ("n", pa.int64())])
