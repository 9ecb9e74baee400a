from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import data as data_sets
from benchmarks.data import BUCKETS, DEMO


def test_the_demo_can_be_made_shorter_and_longer() -> None:
    some, more = data_sets.load(DEMO, 100), data_sets.load(DEMO, 3_000)

    assert (len(some), len(more)) == (100, 3_000)
    assert len(set(more.keys)) == 3_000
    np.testing.assert_array_equal(more.vectors[:100], some.vectors)


def test_a_copy_is_near_its_original_but_not_the_same() -> None:
    data = data_sets.load(DEMO, 2_500)

    alike = np.sum(data_sets.normalised(data.vectors[2_000:]) * data_sets.normalised(data.vectors[:500]), axis=1)
    assert 0.85 < float(alike.min()) < float(alike.max()) < 0.999


def test_the_numbers_for_filters_are_evenly_spread() -> None:
    data = data_sets.seeded(5_000, 16, queries=10)

    for below in (1, 100, 500):
        assert sum(fields["n"] < below for fields in data.metadata) == 5_000 * below // BUCKETS


def test_seeded_data_are_the_same_every_time() -> None:
    first, second = (data_sets.seeded(50, 8, queries=2) for _ in range(2))

    np.testing.assert_array_equal(first.vectors, second.vectors)
    assert first.metadata == second.metadata


def test_the_truth_is_what_brute_force_finds() -> None:
    data = data_sets.seeded(300, 12, queries=5)
    normalised = data.vectors / np.linalg.norm(data.vectors, axis=1, keepdims=True)

    for query, keys in zip(data.queries, data.true_keys(k=3), strict=True):
        best = np.argsort(-(normalised @ query))[:3]
        assert keys == {data.keys[i] for i in best}


def test_the_truth_under_a_filter_has_only_what_matches() -> None:
    data = data_sets.seeded(2_000, 12, queries=5)
    matching = {key for key, fields in zip(data.keys, data.metadata, strict=True) if fields["n"] < 100}

    assert all(keys <= matching and len(keys) == 10 for keys in data.true_keys(100))


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    data = data_sets.seeded(20, 4, queries=3)

    found = data_sets.read_saved(data_sets.save(data, tmp_path / "saved"))

    assert (found.keys, found.metadata) == (data.keys, data.metadata)
    np.testing.assert_array_equal(found.vectors, data.vectors)
    np.testing.assert_array_equal(found.queries, data.queries)


@pytest.mark.parametrize(
    ("found", "share"), [([["a", "b"]], 1.0), ([["a", "x"]], 0.5), ([["x", "y"]], 0.0), ([["a", "a"]], 0.5)]
)
def test_recall_is_the_share_of_the_true_nearest_that_were_found(found: list[list[str]], share: float) -> None:
    assert data_sets.recall(found, [{"a", "b"}]) == share
