"""End to end, `client` means a real HTTP client on a real server."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.processes import Server


@pytest.fixture
def client(server: Server, make_http: Callable[[Server], httpx.Client]) -> httpx.Client:
    """A client of the server this test has for itself."""
    return make_http(server)


@pytest.fixture
def shared_client(shared_server: Server, make_http: Callable[[Server], httpx.Client]) -> httpx.Client:
    """A client of the server all tests share."""
    return make_http(shared_server)
