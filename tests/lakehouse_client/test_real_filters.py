"""Against a real server: filters, changes of metadata, diversity, recall, duplicates, snapshots."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lakehouse_client import Client, DuplicateGroup, DuplicatesResult, Index, InvalidInput, Mmr
from tests.lakehouse_client.test_real_server import name, rows

__all__ = ["name"]  # a fixture


def fill(index: Index) -> None:
    items = [{"id": f"{i:02}", "vector": row, "metadata": {"n": i}} for i, row in enumerate(rows(60))]
    index.add(items)


def test_a_filter_chooses_what_is_found_counted_and_deleted(real: Client, name: str) -> None:
    index, vectors = real.index(name), rows(60)
    fill(index)
    low = {"n": {"$lt": 20}}
    true = [f"{i:02}" for i in np.linalg.norm(vectors[:20] - vectors[40], axis=1).argsort()]

    assert [hit.id for hit in index.search(vectors[40], k=5, filter=low).hits] == true[:5]
    assert [hit.id for hit in index.search(id="40", k=50, filter=low).hits] == true
    assert [[hit.id for hit in hits] for hits in index.search_many(vectors[40:41], k=3, filter=low).results] == [
        true[:3]
    ]
    assert [hit.id for hit in real.search([name], vectors[40], k=2, filter=low).hits] == true[:2]
    assert (index.count(), index.count(low), index.count({"n": 10**30})) == (60, 20, 0)
    done = index.delete(filter=low)
    assert (done.deleted, done.missing, index.count(), index.count(low)) == (20, (), 40, 0)
    assert done.seq == real.get_index(name).seq
    with pytest.raises(InvalidInput) as caught:
        index.delete(filter={})
    assert [fault.pointer for fault in caught.value.errors] == ["/filter"]
    with pytest.raises(InvalidInput) as caught:
        index.search(vectors[0], filter={"n": {"$near": 1}})
    assert [fault.pointer for fault in caught.value.errors] == ["/filter/n/$near"]


def test_metadata_change_key_by_key(real: Client, name: str) -> None:
    index = real.index(name)
    fill(index)
    changes: dict[str, dict[str, Any]] = {"00": {"n": None, "big": 10**30}, "01": {"x": {"y": [1.5]}}, "zz": {}}

    done = index.update_metadata(changes, batch_items=2)

    assert (done.updated, done.missing, done.seq) == (2, ("zz",), 63)
    assert [item.metadata for item in index.fetch(["00", "01"]).items] == [{"big": 10**30}, {"n": 1, "x": {"y": [1.5]}}]
    assert index.count({"big": 10**30}) == index.count({"x.y": 1.5}) == 1


def test_diverse_hits_leave_copies_out(real: Client, name: str) -> None:
    index, vectors = real.index(name), rows(60)
    fill(index)
    index.add([{"id": f"copy-{i}", "vector": vectors[4]} for i in range(3)])

    plain = index.search(vectors[4], k=4)
    diverse = index.search(vectors[4], k=4, mmr=Mmr(relevance=0.4, fetch_k=30))

    assert [hit.id for hit in plain.hits] == ["04", "copy-0", "copy-1", "copy-2"]
    assert diverse.hits[0] == plain.hits[0]
    assert not [hit for hit in diverse.hits if hit.id.startswith("copy")]


def test_recall_duplicates_and_snapshots(real: Client, name: str) -> None:
    index, vectors = real.index(name), rows(60)
    fill(index)
    index.add([{"id": "copy", "vector": vectors[4]}])

    measured = index.recall(num=5, k=3)
    snapshot = index.snapshot()

    assert (measured.recall, measured.num, measured.k) == (1.0, 5, 3)
    assert index.recall_history() == (measured,)
    info = real.get_index(name)
    assert (info.recall, info.warnings, info.snapshot) == (measured, (), snapshot)
    assert (snapshot.seq, snapshot.error) == (61, None)
    assert index.duplicates(0) == DuplicatesResult((DuplicateGroup(("04", "copy"), 0.0),), 61)
    assert index.duplicates(1e6).groups[0].ids[0] == "00"
