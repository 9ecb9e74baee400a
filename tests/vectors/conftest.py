from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage
from django.test import Client

from lakehouse_site.access import selectors
from tests.vectors.admin_pages import boss_client
from vectors import objects, snapshot_graphs
from vectors.replicas import replicas


@pytest.fixture
def vectors_db(transactional_db: None) -> Iterator[None]:
    """A database with real commits; no graph and no memory of tokens left over from another test."""
    selectors.forget()
    yield
    selectors.forget()
    replicas.stop()


@pytest.fixture
def boss(vectors_db: None) -> Client:
    """Somebody who may do everything in the admin."""
    return boss_client()


@pytest.fixture
def small_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build graphs from 20 items on, so that small tests go through hnswlib."""
    monkeypatch.setattr("vectors.graph.GRAPH_MIN_ITEMS", 20)


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileSystemStorage:
    """An object storage of this test alone, that has never been in trouble."""
    store = FileSystemStorage(location=tmp_path / "objects")
    monkeypatch.setattr(objects, "default_storage", store)
    monkeypatch.setattr(snapshot_graphs, "_trouble_until", 0.0)
    monkeypatch.setattr(snapshot_graphs, "_straggler", None)
    return store
