from __future__ import annotations

import numpy as np
import pytest

from tests.factories import random_rows
from vectors import fingerprints
from vectors.fingerprints import Fingerprints


@pytest.mark.parametrize("dimension", [1, 2, 3, 8, 129])
def test_every_row_is_found_under_its_labels(dimension: int) -> None:
    rows = random_rows(500, dimension)
    known = Fingerprints()
    for start in range(0, 500, 37):
        part = rows[start : start + 37]
        known.add(np.arange(start, start + len(part)), part)
    known.add(np.array([1_000, 1_001]), rows[[7, 7]])

    assert all(known.labels(rows[i]) == [i] for i in range(500) if i != 7)
    assert sorted(known.labels(rows[7])) == [7, 1_000, 1_001]
    assert known.labels(random_rows(1, dimension, seed=1)[0]) == []


def test_a_row_has_one_hash_however_many_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(50, 3)
    one_by_one = np.concatenate([fingerprints.fingerprints(rows[i : i + 1]) for i in range(50)])

    monkeypatch.setattr(fingerprints, "ROWS_AT_ONCE", 7)

    assert (fingerprints.fingerprints(rows) == one_by_one).all()
    assert len(set(one_by_one.tolist())) == 50


def test_rows_that_do_not_lie_side_by_side_have_the_same_hash() -> None:
    padded = np.zeros((20, 9), np.float32)
    padded[:, 2:7] = random_rows(20, 5)

    assert (fingerprints.fingerprints(padded[:, 2:7]) == fingerprints.fingerprints(padded[:, 2:7].copy())).all()


def test_there_are_few_runs_however_the_rows_come() -> None:
    known = Fingerprints()
    for i in range(1_000):
        known.add(np.array([i]), random_rows(1, 4, seed=i))

    assert len(known._runs) <= 11
    assert sum(len(hashes) for hashes, _ in known._runs) == 1_000
