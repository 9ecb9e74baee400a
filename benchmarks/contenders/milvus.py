"""milvus-lite through its client, in the caller's process."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.contenders.catalogue import Served
from benchmarks.data import Data, Float32s, K


def serve(stack: ExitStack, folder: Path, python: Path) -> Served:
    return Served({"file": str(folder / "milvus.db")}, folder=folder)


def make(config: dict[str, Any]) -> Milvus:
    return Milvus(config["file"])


class Milvus:
    def __init__(self, file: str) -> None:
        from pymilvus import MilvusClient

        self._client = MilvusClient(file)
        self._effort = 64

    def version(self) -> str:
        return f"milvus-lite {version('milvus-lite')}, pymilvus {version('pymilvus')}"

    def create(self, name: str, dimension: int, *, indexed: bool, effort: int) -> None:
        from pymilvus import DataType

        schema = self._client.create_schema()
        schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=512)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        schema.add_field("metadata", DataType.JSON)
        schema.add_field("n", DataType.INT64)
        index = self._client.prepare_index_params()
        graph = {"M": 16, "efConstruction": 200}
        index.add_index("vector", index_type="HNSW", metric_type="COSINE", params=graph)
        self._client.create_collection(_plain(name), schema=schema, index_params=index)

    def drop(self, name: str) -> None:
        self._client.drop_collection(_plain(name))

    def batch(self, data: Data, low: int, high: int) -> Any:
        rows = zip(data.keys[low:high], data.vectors[low:high], data.metadata[low:high], strict=True)
        return [{"key": key, "vector": row, "metadata": fields, "n": fields["n"]} for key, row, fields in rows]

    def add(self, name: str, batch: Any) -> None:
        self._client.insert(_plain(name), batch)

    def finish(self, name: str) -> None:
        self._client.flush(_plain(name))
        self._client.load_collection(_plain(name))

    def tune(self, name: str, effort: int) -> None:
        self._effort = effort

    def question(self, name: str, vectors: Float32s, below: int | None) -> Any:
        return {
            "collection_name": _plain(name),
            "data": list(vectors),
            "limit": K,
            "filter": "" if below is None else f"n < {below}",
            "search_params": {"params": {"ef": self._effort}},
            "output_fields": ["metadata"],
        }

    def ask(self, question: Any) -> Any:
        return self._client.search(**question)

    def ids(self, answer: Any) -> list[list[str]]:
        return [[hit["key"] for hit in hits] for hits in answer]


def _plain(name: str) -> str:
    """Return a name that Milvus takes: letters, digits and underscores."""
    return name.replace("-", "_")
