"""What the index service must hold, as plain dictionaries, and the comparison with what a process answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.e2e.reference_filter import holds, random_filter

Call = Callable[[str, str, dict[str, Any]], tuple[int, Any]]
"""One call of the API by a process: (command, index name, body) -> (status, answer)."""

Vector = NDArray[np.float32]
PAGE_ITEMS = 25
MAX_K = 1_000


@dataclass
class Item:
    vector: Vector
    metadata: dict[str, Any] | None


@dataclass
class Index:
    dimension: int
    distance: str
    items: dict[str, Item] = field(default_factory=dict)
    ever: set[str] = field(default_factory=set)

    def add(self, sent: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        added = 0
        for new in sent:
            old = self.items.get(new["id"])
            added += old is None
            kept = old.metadata if old is not None else None
            metadata = new.get("metadata")
            vector = np.array(new["vector"], np.float32)
            self.items[new["id"]] = Item(vector, kept if metadata is None else metadata)
            self.ever.add(new["id"])
        return {"added": added, "updated": len(sent) - added, "count": len(self.items)}

    def delete(self, keys: Sequence[str]) -> dict[str, Any]:
        distinct = list(dict.fromkeys(keys))
        missing = [key for key in distinct if key not in self.items]
        for key in distinct:
            self.items.pop(key, None)
        return {"deleted": len(distinct) - len(missing), "missing": missing}

    def where(self, wanted: Mapping[str, Any]) -> Index:
        """Return an index of the items that match a filter."""
        items = {key: item for key, item in self.items.items() if holds(wanted, item.metadata)}
        return Index(self.dimension, self.distance, items, self.ever)

    def patch(self, sent: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        missing = [change["id"] for change in sent if change["id"] not in self.items]
        for change in sent:
            item = self.items.get(change["id"])
            if item is not None:
                before = item.metadata or {}
                after = {key: value for key, value in {**before, **change["metadata"]}.items() if value is not None}
                # Null only removes where it was sent; what is stored as null stays.
                after |= {key: None for key, value in before.items() if value is None and key not in change["metadata"]}
                item.metadata = after if after or item.metadata is not None else None
        return {"updated": len(sent) - len(missing), "missing": missing}

    def merge_into(self, dest: Index, *, overwrite: bool, clear_source: bool) -> dict[str, int]:
        fresh = [key for key in self.items if key not in dest.items]
        known = [key for key in self.items if key in dest.items]
        scanned = len(self.items)
        for key in [*fresh, *known] if overwrite else fresh:
            dest.items[key] = Item(self.items[key].vector, self.items[key].metadata)
            dest.ever.add(key)
        for key in fresh if clear_source else ():
            del self.items[key]
        return {
            "scanned": scanned,
            "added": len(fresh),
            "overwritten": len(known) if overwrite else 0,
            "skipped": 0 if overwrite else len(known),
            "deleted": len(fresh) if clear_source else 0,
            "source_count": len(self.items),
            "dest_count": len(dest.items),
        }


def distances(query: Vector, rows: Sequence[Vector], distance: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distances in float64, and how much each may be off for the order of its additions."""
    wide, one = np.array(rows, np.float64), query.astype(np.float64)
    terms = np.abs(wide * one).sum(axis=1)
    if distance == "euclidean":
        found = np.linalg.norm(wide - one, axis=1)
        return found, 1e-12 * found
    inner = wide @ one
    if distance == "dot":
        return -inner, 1e-12 * terms
    return 1 - inner / (np.linalg.norm(wide, axis=1) * np.linalg.norm(one)), np.full(len(wide), 2e-12)


def check_hits(index: Index, query: Vector, k: int, answer: Mapping[str, Any]) -> None:
    """The hits are live items with their present distances and metadata, in order; the nearest where promised."""
    hits = answer["results"]
    keys = [hit["id"] for hit in hits]
    assert len(set(keys)) == len(keys)
    assert not set(keys) - set(index.items), "deleted or unknown items were found"
    assert len(keys) == min(k, len(index.items))
    assert [(hit["distance"], hit["id"]) for hit in hits] == sorted((hit["distance"], hit["id"]) for hit in hits)
    if not hits:
        return
    expected, tolerance = distances(query, [index.items[key].vector for key in keys], index.distance)
    found = np.array([hit["distance"] for hit in hits])
    assert (np.abs(found - expected) <= tolerance).all(), (found, expected)
    assert [hit["metadata"] for hit in hits] == [index.items[key].metadata for key in keys]
    if answer["exact"] or k >= len(index.items):
        everything, slack = distances(query, [item.vector for item in index.items.values()], index.distance)
        kth = np.sort(everything)[len(hits) - 1]
        assert found[-1] <= kth + tolerance.max() + slack.max()


def check_items(index: Index, name: str, call: Call) -> None:
    """Listing and fetch give every item once, as it was last sent."""
    listed: list[dict[str, Any]] = []
    body: dict[str, Any] = {"limit": PAGE_ITEMS}
    while True:
        status, page = call("items", name, body)
        assert status == 200, page
        listed += page["items"]
        if page["next"] is None:
            break
        body = {"limit": PAGE_ITEMS, "cursor": page["next"]}
    assert [item["id"] for item in listed] == sorted(index.items)
    gone = sorted(index.ever - set(index.items))
    asked = [*sorted(index.items), *gone, "never-there"]
    status, fetched = call("fetch", name, {"ids": asked})
    assert status == 200, fetched
    assert fetched["missing"] == [*gone, "never-there"]
    assert [item["id"] for item in fetched["items"]] == sorted(index.items)
    for item in [*listed, *fetched["items"]]:
        stored = index.items[item["id"]]
        assert np.array(item["vector"], np.float32).tobytes() == stored.vector.tobytes()
        assert item["metadata"] == stored.metadata


def check_index(index: Index, name: str, call: Call, rng: random.Random) -> bool:
    """Everything one process says of an index is what the model holds; return whether a graph took part."""
    check_items(index, name, call)
    query = np.array([rng.uniform(-2, 2) for _ in range(index.dimension)], np.float32)
    used_graph = False
    for k in (MAX_K, rng.randint(1, 6)):
        status, answer = call("search", name, {"vector": query.tolist(), "k": k})
        assert status == 200, answer
        check_hits(index, query, k, answer)
        used_graph |= not answer["exact"]
    used_graph |= check_filters(index, name, call, rng)
    for key in rng.sample(sorted(index.items), min(2, len(index.items))):
        vector = index.items[key].vector
        twins = sum(item.vector.tobytes() == vector.tobytes() for item in index.items.values())
        k = MAX_K if index.distance == "dot" else min(twins + 3, MAX_K)
        status, answer = call("search", name, {"vector": vector.tolist(), "k": k})
        assert status == 200, answer
        check_hits(index, vector, k, answer)
        itself = [hit["distance"] for hit in answer["results"] if hit["id"] == key]
        if index.distance == "euclidean":
            assert itself == [0.0]
        elif index.distance == "cosine":
            # Parallel vectors are equally near, so more than the twins may stand before it.
            assert itself == [0.0] or answer["results"][-1]["distance"] == 0.0
        else:
            assert len(itself) == 1
    return used_graph


def check_filters(index: Index, name: str, call: Call, rng: random.Random) -> bool:
    """Filtered searches and counts are about just the items that match; return whether a graph took part."""
    used_graph = False
    query = np.array([rng.uniform(-2, 2) for _ in range(index.dimension)], np.float32)
    for k in (MAX_K, rng.randint(1, 6), rng.randint(1, 6)):
        wanted = random_filter(rng)
        passing = index.where(wanted)
        status, answer = call("search", name, {"vector": query.tolist(), "k": k, "filter": wanted})
        assert status == 200, answer
        check_hits(passing, query, k, answer)
        used_graph |= not answer["exact"]
        assert call("count", name, {"filter": wanted}) == (200, {"count": len(passing.items)}), wanted
    return used_graph


def check_all(indexes: Mapping[str, Index], prefix: str, call: Call, rng: random.Random) -> bool:
    """The indexes whose names start with `prefix` are those of the model, each with its items."""
    status, listing = call("list", "", {})
    assert status == 200, listing
    found = {info["name"]: info for info in listing["results"] if info["name"].startswith(prefix)}
    assert set(found) == set(indexes)
    used_graph = False
    for name, index in indexes.items():
        info = found[name]
        expected = (index.dimension, index.distance, len(index.items))
        assert (info["dimension"], info["distance"], info["count"]) == expected
        used_graph |= check_index(index, name, call, rng)
    return used_graph
