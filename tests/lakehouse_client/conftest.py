"""A scripted server and clients of it; nothing waits, `waits` tells how long it would have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakehouse_client import Client, transport
from tests.lakehouse_client.scripted import Scripted, serve
from tests.processes import Server


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    with serve(Scripted()) as server:
        yield server


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that would have been waited between tries."""
    seconds: list[float] = []
    monkeypatch.setattr(transport, "sleep", seconds.append)
    return seconds


@pytest.fixture
def client(scripted: Scripted, waits: list[float]) -> Iterator[Client]:
    with Client(scripted.base_url, retries=3, timeout_seconds=20) as client:
        yield client


@pytest.fixture
def real(shared_server: Server) -> Iterator[Client]:
    """A client of a real server."""
    with Client(shared_server.base_url) as client:
        yield client
