"""What clients were promised: for every batch the states it may be in after a crash."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import httpx

BATCH_ITEMS = 20
PAGE_ITEMS = 5_000

State = int | None
"""The version all items of a batch have, None for none of them stored."""


class Ledger:
    """Batches of items. A write that was answered leaves one state possible, one that was cut off leaves two.

    So does one that was answered 503, where the test has said that the database may be away (`outages`).
    """

    def __init__(self, *, outages: bool = False) -> None:
        self._lock = threading.Lock()
        self._outages = outages
        self.unavailable = 0
        self.allowed: dict[str, set[State]] = {}
        self.answered = 0
        self.cut_off = 0

    def write(self, client: httpx.Client, url: str, batch: str, version: State) -> bool:
        """Write all items of a batch with this version, or delete them; return whether the server answered."""
        with self._lock:
            before = self.allowed.setdefault(batch, {None})
            self.allowed[batch] = before | {version}
        if version is None:
            body: dict[str, Any] = {"ids": [f"{batch}/{i}" for i in range(BATCH_ITEMS)]}
        else:
            body = {"items": [item(batch, i, version) for i in range(BATCH_ITEMS)]}
        try:
            answer = client.post(f"{url}/{'add' if 'items' in body else 'delete'}", json=body)
        except httpx.TransportError:
            with self._lock:
                self.cut_off += 1
            return False
        if self._outages and answer.status_code == 503:
            assert_unavailable(answer)
            with self._lock:
                self.unavailable += 1
            return False
        assert answer.status_code == 200, answer.text
        with self._lock:
            self.allowed[batch] = {version}
            self.answered += 1
        return True

    def check(self, stored: Mapping[str, Mapping[str, Any]]) -> None:
        """Compare with stored items by id: nothing torn, nothing lost, nothing that nobody sent."""
        versions: dict[str, list[State]] = defaultdict(list)
        for key, found in stored.items():
            batch, position = key.split("/")
            version = found["metadata"]["version"]
            assert found == item(batch, int(position), version), "an item mixes two writes"
            versions[batch].append(version)
        assert not set(versions) - set(self.allowed)
        for batch, allowed in self.allowed.items():
            seen = versions[batch] or [None]
            assert len(set(seen)) == 1, f"batch {batch} is torn: versions {seen}"
            assert seen == [None] or len(seen) == BATCH_ITEMS, f"batch {batch} is torn: {len(seen)} items"
            assert seen[0] in allowed, f"batch {batch} is {seen[0]}, promised was {allowed}"
            self.allowed[batch] = {seen[0]}  # what a crash has decided must not change any more


def assert_unavailable(answer: httpx.Response) -> str:
    """Assert that an answer says, as it should, that the database is away; return what it says."""
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (503, 503, "database_unavailable"), answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    return str(problem["detail"])


def item(batch: str, position: int, version: int) -> dict[str, Any]:
    """Return one item of a batch; its vector and its metadata tell the version."""
    vector = [float(version), float(position), 1.0, 2.0]
    return {"id": f"{batch}/{position}", "vector": vector, "metadata": {"batch": batch, "version": version}}


def stored_items(client: httpx.Client, url: str) -> dict[str, dict[str, Any]]:
    """Return all items of an index by id."""
    items: dict[str, dict[str, Any]] = {}
    cursor: str | None = ""
    while cursor is not None:
        params: dict[str, str | int] = {"include": "metadata,vector", "limit": PAGE_ITEMS, "cursor": cursor}
        answer = client.get(f"{url}/items", params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert not {found["id"] for found in page["items"]} & set(items)
        items |= {found["id"]: found for found in page["items"]}
        cursor = page["next"]
    return items
