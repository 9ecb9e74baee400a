"""Ports of the loopback address."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Return a port nobody listens on now; the caller must cope with someone being faster."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
