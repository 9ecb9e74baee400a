from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.factories import random_rows
from vectors.distances import measure
from vectors.tail import MAX_BLOCK_ROWS, Tail, is_among


def test_search_reaches_across_blocks() -> None:
    rows = random_rows(MAX_BLOCK_ROWS * 2 + 10, 4)
    tail = Tail(4, "euclidean")
    tail.append(np.arange(len(rows)), rows)

    for position in (0, MAX_BLOCK_ROWS, len(rows) - 1):
        hits = tail.search(rows[position : position + 1], 1)[0]
        assert hits.labels.tolist() == [position]
        assert hits.distances.tolist() == [0.0]


def test_removing_unknown_labels_returns_them() -> None:
    tail = Tail(4, "dot")
    tail.append(np.array([5, 6]), random_rows(2, 4))

    assert tail.remove(np.array([6, 7])).tolist() == [7]
    assert len(tail) == 1


@pytest.mark.parametrize("count", [1, 3, 1000])
def test_drop_oldest_removes_just_what_oldest_returned(count: int) -> None:
    rows = random_rows(200, 4)
    tail = Tail(4, "euclidean")
    tail.append(np.arange(200), rows)

    labels, vectors = tail.oldest(count)
    tail.drop_oldest(len(labels))

    assert (vectors == rows[labels]).all()
    assert len(tail) == 200 - len(labels)
    assert tail.remove(labels).tolist() == labels.tolist()


@pytest.mark.parametrize("every", [1, 3, 500])
def test_only_allowed_rows_are_found_and_counted(every: int) -> None:
    rows = random_rows(MAX_BLOCK_ROWS + 500, 4)
    tail = Tail(4, "euclidean")
    tail.append(np.arange(len(rows)), rows)
    tail.remove(np.arange(0, 100))
    allowed = np.arange(0, len(rows) + 50, every)
    present = [label for label in allowed.tolist() if 100 <= label < len(rows)]

    hits = tail.search(rows[7:9], 20, allowed)

    for query, found in zip(rows[7:9], hits, strict=True):
        far = measure(query, rows[present], "euclidean")
        assert found.labels.tolist() == [present[i] for i in far.argsort()[:20]]
    assert tail.count_among(allowed) == len(present)


def test_nothing_is_found_where_nothing_is_allowed() -> None:
    tail = Tail(4, "dot")
    tail.append(np.arange(5), random_rows(5, 4))

    for allowed in (np.empty(0, np.int64), np.array([7, 9])):
        assert [len(hits.labels) for hits in tail.search(random_rows(2, 4), 3, allowed)] == [0, 0]
        assert tail.count_among(allowed) == 0


@pytest.mark.parametrize(
    ("labels", "ascending"), [([], []), ([1], []), ([], [1]), ([5, 1, 9, 3, 3], [1, 3, 4]), ([-1, 10**15], [0])]
)
def test_being_among_labels_is_what_a_set_says(labels: list[int], ascending: list[int]) -> None:
    found = is_among(np.array(labels, np.int64), np.array(ascending, np.int64))

    assert found.tolist() == [label in ascending for label in labels]


def test_the_closest_other_row_is_never_the_row_itself() -> None:
    rows = np.array([[0, 0], [3, 4], [3, 4], [10, 10]], np.float32)
    tail = Tail(2, "euclidean")
    tail.append(np.arange(4), rows)

    assert tail.closest_other(rows, np.arange(4)).tolist() == pytest.approx([5, 0, 0, 85**0.5])
    tail.remove(np.array([1, 2, 3]))
    assert tail.closest_other(rows[:1], np.array([0])).tolist() == [np.inf]


class TailMachine(RuleBasedStateMachine):
    """A tail against a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.tail = Tail(2, "euclidean")
        self.model: dict[int, tuple[float, float]] = {}
        self.next_label = 0

    @rule(count=st.integers(1, 150))
    def append(self, count: int) -> None:
        labels = np.arange(self.next_label, self.next_label + count)
        rows = np.stack([labels, labels * 2 % 7], axis=1).astype(np.float32)
        self.tail.append(labels, rows)
        self.model.update(zip(labels.tolist(), map(tuple, rows.tolist()), strict=True))
        self.next_label += count

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        known = st.sampled_from(sorted(self.model)) if self.model else st.nothing()
        labels = data.draw(st.lists(known | st.integers(10**6, 10**6 + 5), unique=True, max_size=60))
        missing = self.tail.remove(np.array(labels, np.int64))
        assert set(missing.tolist()) == {label for label in labels if label not in self.model}
        for label in labels:
            self.model.pop(label, None)

    @rule(count=st.integers(1, 100))
    def move(self, count: int) -> None:
        labels, rows = self.tail.oldest(count)
        if not len(labels):
            return
        self.tail.drop_oldest(len(labels))
        for label, row in zip(labels.tolist(), rows.tolist(), strict=True):
            assert self.model.pop(label) == tuple(row)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        assert len(self.tail) == len(self.model)
        hits = self.tail.search(np.zeros((1, 2), np.float32), max(len(self.model), 1))[0]
        assert set(hits.labels.tolist()) == set(self.model)
        expected = [np.hypot(*self.model[label]) for label in hits.labels.tolist()]
        assert np.allclose(hits.distances, expected)


TestTailMachine = TailMachine.TestCase
TestTailMachine.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
