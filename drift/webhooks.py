"""One signed POST to an address that somebody typed in: it may lead to the world, not into this network."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Collection
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0
DEADLINE_SECONDS = 30.0
"""For a whole try: a receiver that sends a byte now and then must not hold up the others."""


class SendFailed(Exception):
    """The message did not arrive."""


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what the header ``X-Lakehouse-Signature`` has: ``v1=`` and the HMAC-SHA256, in hex, of timestamp.body."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def post_signed(url: str, body: bytes, *, secret: str, delivery_id: str, allowed_hosts: Collection[str]) -> None:
    """Send a JSON body; redirects are not followed.

    Parameters
    ----------
    url
        http:// or https://.
    allowed_hosts
        Host names that may lead to a private or loopback address.

    Raises
    ------
    SendFailed
        It leads to an address that is not public, or the answer was not 2xx.
    OSError, http.client.HTTPException
        It could not be reached in time, or did not speak HTTP.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise SendFailed("The address is not http:// or https://.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    # The name is looked up once and the connection goes to what was looked at, so that no second answer can differ.
    address = _public_address(host, port, is_allowed=host in allowed_hosts)
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    raw = socket.create_connection(address, timeout=TIMEOUT_SECONDS)
    deadline = threading.Timer(DEADLINE_SECONDS, _cut, [raw])
    deadline.start()
    try:
        context = ssl.create_default_context() if parts.scheme == "https" else None
        connection.sock = context.wrap_socket(raw, server_hostname=host) if context else raw
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Lakehouse",
            "X-Lakehouse-Delivery": delivery_id,
            "X-Lakehouse-Timestamp": timestamp,
            "X-Lakehouse-Signature": signature(secret, timestamp, body),
        }
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, headers)
        status = connection.getresponse().status
    finally:
        deadline.cancel()
        connection.close()
        raw.close()
    if not 200 <= status < 300:
        raise SendFailed(f"The receiver answered {status}.")


def _cut(raw: socket.socket) -> None:
    try:
        raw.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def _public_address(host: str, port: int, *, is_allowed: bool) -> tuple[str, int]:
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not is_allowed and not _is_public(address):
            raise SendFailed(f"{host} leads to {address}, which is not public. LAKEHOUSE_WEBHOOK_HOSTS can allow it.")
    return found[0], port


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        # An IPv4 address in IPv6's clothes is the IPv4 address.
        address = address.ipv4_mapped or address.sixtofour or address
    return address.is_global and not address.is_multicast
