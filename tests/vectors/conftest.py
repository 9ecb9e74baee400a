from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakehouse_site.access import selectors
from vectors.replicas import replicas


@pytest.fixture
def vectors_db(transactional_db: None) -> Iterator[None]:
    """A database with real commits; no graph and no memory of tokens left over from another test."""
    selectors.forget()
    yield
    selectors.forget()
    replicas.stop()


@pytest.fixture
def small_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build graphs from 20 items on, so that small tests go through hnswlib."""
    monkeypatch.setattr("vectors.graph.GRAPH_MIN_ITEMS", 20)
