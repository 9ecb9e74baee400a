"""The data sets: real embeddings from a folder, made larger if need be, and seeded ones of any dimension.

A folder has ``vectors.npy`` (n, d), ``items.jsonl`` (id, metadata) and ``queries.npy`` (b, d). What workers in other
processes need is saved as a folder of the same kind.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32s: TypeAlias = NDArray[np.float32]

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo" / "debian_packages"
SEED = 20_240_607
K = 10
BUCKETS = 1_000
"""Each item has a number ``n`` below this in its metadata, evenly spread: ``n < 100`` are 10 % of the items."""


@dataclass(frozen=True, slots=True)
class Data:
    """A data set.

    Attributes
    ----------
    vectors, queries
        Shapes (n, d) and (b, d), float32.
    """

    title: str
    keys: list[str]
    metadata: list[dict[str, Any]]
    vectors: Float32s
    queries: Float32s

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dimension(self) -> int:
        return int(self.vectors.shape[1])

    def asked(self, count: int) -> Data:
        """Return the same items with the first `count` queries."""
        return replace(self, queries=self.queries[:count])

    def true_keys(self, below: int | None = None, k: int = K) -> list[set[str]]:
        """Return the keys of the k nearest by cosine for each query, among the items with ``n < below``."""
        chosen = [i for i, fields in enumerate(self.metadata) if below is None or fields["n"] < below]
        near = nearest(self.vectors[chosen], self.queries, k)
        return [{self.keys[chosen[i]] for i in row} for row in near.tolist()]


def nearest(vectors: Float32s, queries: Float32s, k: int) -> NDArray[np.int64]:
    """Return the positions of the k nearest vectors by cosine for each query, by brute force."""
    similar = normalised(queries) @ normalised(vectors).T
    return np.argsort(-similar, axis=1, kind="stable")[:, :k]


def normalised(vectors: Float32s) -> Float32s:
    unit: Float32s = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def load(folder: Path, count: int | None = None) -> Data:
    """Read a folder; with `count`, the first items, or repeated with small changes until there are so many."""
    items = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    vectors = np.load(folder / "vectors.npy").astype(np.float32)
    queries = np.load(folder / "queries.npy").astype(np.float32)
    keys, metadata = [item["id"] for item in items], [item["metadata"] or {} for item in items]
    title = f"{len(keys):,} embeddings from {folder.name}"
    data = Data(title, keys, metadata, vectors, queries)
    return numbered(data if count is None else resized(data, count))


def resized(data: Data, count: int, seed: int = SEED) -> Data:
    """Return `count` items: the first ones, or all of them and then copies that are a little off."""
    n = len(data)
    if count <= n:
        title = f"the first {count:,} of {data.title}" if count < n else data.title
        return Data(title, data.keys[:count], data.metadata[:count], data.vectors[:count], data.queries)
    rng = np.random.default_rng(seed)
    source = np.arange(count) % n
    vectors = data.vectors[source]
    # A third of a vector's own length: a copy is a neighbour of its original, as paraphrases are, not the same point.
    scale = float(np.linalg.norm(data.vectors, axis=1).mean()) / 3 / np.sqrt(data.dimension)
    vectors[n:] += rng.standard_normal((count - n, data.dimension), dtype=np.float32) * np.float32(scale)
    keys = [data.keys[i] if turn < n else f"{data.keys[i]}~{turn // n}" for turn, i in enumerate(source.tolist())]
    metadata = [data.metadata[i] for i in source.tolist()]
    return Data(f"{data.title}, repeated with noise to {count:,}", keys, metadata, vectors, data.queries)


def seeded(count: int, dimension: int, queries: int = 200, seed: int = SEED) -> Data:
    """Return made-up embeddings: like real ones they lie near a surface of far fewer dimensions than they have."""
    rng = np.random.default_rng(seed)
    inner = 24
    centres = rng.standard_normal((64, inner))
    spread = rng.standard_normal((inner, dimension)) / np.sqrt(inner)
    points = centres[rng.integers(0, len(centres), count + queries)] + rng.standard_normal((count + queries, inner))
    rows = (points @ spread + 0.1 * rng.standard_normal((count + queries, dimension))).astype(np.float32)
    keys = [f"item-{i:06}" for i in range(count)]
    metadata: list[dict[str, Any]] = [{"section": f"s{i % 50}", "summary": f"made-up item {i}"} for i in range(count)]
    title = f"{count:,} seeded vectors of {dimension} numbers"
    return numbered(Data(title, keys, metadata, rows[:count], rows[count:]))


def numbered(data: Data, seed: int = SEED) -> Data:
    """Give each item the number `n` that filters ask for."""
    numbers = np.random.default_rng(seed + 1).permutation(len(data)) % BUCKETS
    metadata = [{**fields, "n": n} for fields, n in zip(data.metadata, numbers.tolist(), strict=True)]
    return Data(data.title, data.keys, metadata, data.vectors, data.queries)


def renamed(data: Data, prefix: str) -> Data:
    """Return the same items under other ids."""
    return Data(data.title, [prefix + key for key in data.keys], data.metadata, data.vectors, data.queries)


def save(data: Data, folder: Path) -> Path:
    """Write a folder that `load` reads, and return it."""
    folder.mkdir(parents=True)
    np.save(folder / "vectors.npy", data.vectors)
    np.save(folder / "queries.npy", data.queries)
    with (folder / "items.jsonl").open("w") as file:
        for key, fields in zip(data.keys, data.metadata, strict=True):
            file.write(json.dumps({"id": key, "metadata": fields}) + "\n")
    return folder


def read_saved(folder: Path) -> Data:
    """Read what `save` wrote, numbers and all."""
    items = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    return Data(
        folder.name,
        [item["id"] for item in items],
        [item["metadata"] for item in items],
        np.load(folder / "vectors.npy"),
        np.load(folder / "queries.npy"),
    )


def recall(found: list[list[str]], true: list[set[str]]) -> float:
    """Return the share of the true nearest that were found, over all queries."""
    wanted = sum(len(keys) for keys in true)
    return sum(len(keys & set(hits)) for hits, keys in zip(found, true, strict=True)) / wanted if wanted else 1.0
