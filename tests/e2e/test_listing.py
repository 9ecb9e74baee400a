"""Following the cursors of a listing while the index changes."""

from __future__ import annotations

import threading

import httpx

from tests.e2e.test_seed_behaviour import Index, index

__all__ = ["index"]  # a fixture


def test_a_listing_gives_every_item_once_while_others_write(shared_client: httpx.Client, index: Index) -> None:
    lasting = [f"item-{n:04}" for n in range(0, 400, 2)]
    index.add(*({"id": key, "vector": [1, 2, 3]} for key in lasting))
    done, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        while not done.is_set():
            passing = [f"item-{n:04}" for n in range(1 + written % 10, 400, 10) if n % 2]
            index.add(*({"id": key, "vector": [3, 2, 1]} for key in [*passing, *lasting[::7]]))
            index.call("delete", ids=[*passing, "nobody"])
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        listings = 0
        while listings < 5 or written < 5:
            assert writer.is_alive()
            keys: list[str] = []
            cursor: str | None = ""
            while cursor is not None:
                page = shared_client.get(f"{index.url}/items", params={"limit": 7, "cursor": cursor}).json()
                keys += [item["id"] for item in page["items"]]
                cursor = page["next"]
            assert keys == sorted(set(keys))
            assert set(lasting) <= set(keys)
            listings += 1
    finally:
        done.set()
        writer.join()
