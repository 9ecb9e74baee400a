from __future__ import annotations

import time

import numpy as np
import pytest

from tests.factories import random_rows
from vectors.distances import DISTANCES, Distance, Float32Rows, measure
from vectors.diversity import choose


def by_definition(vectors: Float32Rows, far: list[float], k: int, relevance: float, distance: Distance) -> list[int]:
    """Maximal marginal relevance, term by term."""
    chosen = [0]
    while len(chosen) < min(k, len(far)):
        scores = {
            i: relevance * -far[i]
            - (1 - relevance) * max(-float(measure(vectors[i], vectors[j : j + 1], distance)[0]) for j in chosen)
            for i in range(len(far))
            if i not in chosen
        }
        chosen.append(max(scores, key=lambda i: (scores[i], -i)))
    return chosen


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("relevance", [0.0, 0.3, 0.7, 1.0])
def test_the_choice_is_that_of_the_definition(distance: Distance, relevance: float) -> None:
    vectors, query = random_rows(40, 6), random_rows(1, 6, seed=4)[0]
    far = measure(query, vectors, distance)
    order = far.argsort(kind="stable")
    vectors, far = vectors[order], far[order]

    chosen = choose(vectors, far, 12, relevance, distance).tolist()

    assert chosen == by_definition(vectors, far.tolist(), 12, relevance, distance)


def test_full_relevance_is_the_order_of_distance() -> None:
    vectors = random_rows(30, 4)
    far = np.sort(measure(vectors[0], vectors, "euclidean"))

    assert choose(vectors, far, 30, 1.0, "euclidean").tolist() == list(range(30))


def test_copies_of_the_first_hit_come_last() -> None:
    vectors = np.array([[1, 0], [1, 0], [1, 0], [0.8, 0.6], [0.6, -0.8]], np.float32)
    far = measure(vectors[0], vectors, "cosine")

    assert choose(vectors, far, 5, 0.4, "cosine").tolist() == [0, 4, 3, 1, 2]


@pytest.mark.parametrize(("count", "k", "expected"), [(0, 5, 0), (1, 5, 1), (3, 5, 3), (5, 1, 1)])
def test_few_candidates_are_enough(count: int, k: int, expected: int) -> None:
    vectors = random_rows(count, 3) if count else np.empty((0, 3), np.float32)

    chosen = choose(vectors, np.arange(count, dtype=float), k, 0.5, "cosine").tolist()

    assert len(set(chosen)) == len(chosen) == expected


@pytest.mark.parametrize("distance", DISTANCES)
def test_enormous_vectors_are_no_trouble(distance: Distance) -> None:
    vectors = random_rows(10, 3) * np.float32(1e30)
    vectors[3:] *= np.float32(1e-38)

    assert sorted(choose(vectors, np.arange(10.0), 10, 0.5, distance).tolist()) == list(range(10))


def test_a_thousand_long_vectors_take_no_minutes() -> None:
    vectors = random_rows(1_000, 4_096)

    started = time.thread_time()
    choose(vectors, np.arange(1000.0), 1_000, 0.5, "euclidean")

    assert time.thread_time() - started < 20
