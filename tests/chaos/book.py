"""What clients were promised, in items whose vectors tell batch, place and version."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from zlib import crc32

import httpx
import numpy as np

from tests.chaos.result import Result
from tests.e2e.ledger import assert_unavailable

BATCH_ITEMS = 20
DIMENSION = 16

State = int | None
"""The version all items of a batch have, None for none of them stored."""

Items = dict[str, dict[str, Any]]


def item(batch: str, position: int, version: int) -> dict[str, Any]:
    """Return one item of a batch; nothing else has its vector."""
    rng = np.random.default_rng(crc32(f"{batch}/{position}/{version}".encode()))
    vector = rng.standard_normal(DIMENSION).astype(np.float32).tolist()
    return {"id": f"{batch}/{position}", "vector": vector, "metadata": {"batch": batch, "version": version}}


def create(client: httpx.Client, *names: str, dimension: int = DIMENSION) -> None:
    for name in names:
        body = {"name": name, "dimension": dimension, "distance": "euclidean"}
        answer = client.post("index", json=body)
        assert answer.status_code == 201, answer.text


def is_fine(answer: httpx.Response, result: Result) -> bool:
    """Return whether a call succeeded; count the answer where it is neither that nor a clear 503."""
    if answer.status_code == 200:
        return True
    what = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:500]}"
    if answer.status_code == 503:
        try:
            assert_unavailable(answer)
        except (AssertionError, KeyError, ValueError):
            result.blame("server_errors", what)
    else:
        result.blame("server_errors" if answer.status_code >= 500 else "wrong", what)
    return False


class Book:
    """Batches of items. A write that was answered leaves one state possible, one that was cut off leaves two."""

    def __init__(self, result: Result) -> None:
        self._lock = threading.Lock()
        self._result = result
        self.allowed: dict[str, set[State]] = {}
        self.cut_off = 0

    def write(self, client: httpx.Client, index: str, batch: str, version: State) -> bool:
        """Write all items of a batch with this version, or delete them; return whether that was acknowledged."""
        with self._lock:
            before = self.allowed.setdefault(batch, {None})
            self.allowed[batch] = before | {version}
        body: dict[str, Any]
        if version is None:
            body = {"ids": [f"{batch}/{i}" for i in range(BATCH_ITEMS)]}
        else:
            body = {"items": [item(batch, i, version) for i in range(BATCH_ITEMS)]}
        try:
            answer = client.post(f"index/{index}/{'delete' if version is None else 'add'}", json=body)
        except httpx.TransportError:
            with self._lock:
                self.cut_off += 1
            return False
        if not is_fine(answer, self._result):
            return False
        with self._lock:
            self.allowed[batch] = {version}
        self._result.acknowledge()
        return True

    def audit(self, stored: Mapping[str, Mapping[str, Any]], when: str) -> None:
        """Compare with stored items by id, and count what is lost, torn, or was never sent."""
        versions: dict[str, list[State]] = defaultdict(list)
        for key, found in stored.items():
            batch, position = key.rsplit("/", 1)
            version = found["metadata"]["version"]
            if comparable(found) != comparable(item(batch, int(position), version)):
                self._result.blame("torn", f"{when}: item {key} mixes two writes: {found}")
            versions[batch].append(version)
        for batch in set(versions) - set(self.allowed):
            self._result.blame("wrong", f"{when}: batch {batch} is stored and was never sent")
        for batch, allowed in self.allowed.items():
            seen = versions[batch] or [None]
            if len(set(seen)) > 1 or (seen != [None] and len(seen) != BATCH_ITEMS):
                self._result.blame("torn", f"{when}: batch {batch} has {len(seen)} items of versions {set(seen)}")
            elif seen[0] not in allowed:
                self._result.blame("lost", f"{when}: batch {batch} is {seen[0]}, promised was {allowed}")
            self.allowed[batch] = {seen[0]}  # what a crash has decided must not change any more


def comparable(found: Mapping[str, Any]) -> tuple[bytes, Any]:
    """Return vector and metadata of an item in a form that is equal when they are."""
    return np.array(found["vector"], np.float32).tobytes(), found["metadata"]


def same_items(one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether two listings hold the same items, to the bit."""
    return one.keys() == other.keys() and all(comparable(one[key]) == comparable(other[key]) for key in one)
