"""Connections: kept, reopened, shared by threads, closed."""

from __future__ import annotations

import ipaddress
import os
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lakehouse_client import BadArgument, Client, ConnectionLost, TooLarge
from lakehouse_client.connections import Target
from tests.lakehouse_client.scripted import Received, Reply, Scripted, problem, serve

COUNT = Reply({"count": 1})
THREADS = 8


def test_calls_share_a_connection(scripted: Scripted, client: Client) -> None:
    scripted.otherwise = lambda received: problem(404, "no") if "nobody" in received.path else COUNT

    for _ in range(5):
        client.index("docs").count()
        assert client.health()

    assert scripted.connections == 1


def test_a_connection_the_server_has_closed_is_reopened_silently(
    scripted: Scripted, client: Client, waits: list[float]
) -> None:
    scripted.script.append(Reply({"count": 1}, fault="stale"))
    client.index("docs").count()
    while scripted.open_sockets:
        threading.Event().wait(0.001)
    scripted.script.append(Reply({"deleted": 1}))

    # Also for a call that is never sent twice: the end is seen before anything is sent.
    assert client.index("docs").delete(filter={"lang": "en"}).deleted == 1

    assert (scripted.connections, len(scripted.received), waits) == (2, 2, [])


def test_a_connection_that_ends_while_it_is_used_again_costs_no_wait(
    scripted: Scripted, client: Client, waits: list[float]
) -> None:
    scripted.script.extend([COUNT, Reply(fault="lost"), COUNT])
    client.index("docs").count()

    assert client.index("docs").count() == 1

    assert (scripted.connections, len(scripted.received), waits) == (2, 3, [])


def test_an_answer_that_comes_before_the_body_is_sent_is_read(scripted: Scripted, client: Client) -> None:
    scripted.script.append(Reply({"code": "too_large", "detail": "D"}, 413, fault="early"))

    # Whether the answer outlives the reset that follows is up to the network; that there is an error is not.
    with pytest.raises((TooLarge, ConnectionLost)):
        client.index("docs").merge_into("x" * 30_000_000, on_conflict="error")


def test_threads_have_connections_of_their_own_that_outlive_them(scripted: Scripted, client: Client) -> None:
    together = threading.Barrier(THREADS, timeout=30)

    def answer(received: Received) -> Reply:
        together.wait()
        return COUNT

    scripted.otherwise = answer
    for _ in range(3):
        with ThreadPoolExecutor(THREADS) as pool:
            assert list(pool.map(lambda _: client.index("docs").count(), range(THREADS))) == [1] * THREADS

    assert scripted.connections == THREADS


def test_closing_ends_all_connections_and_later_calls(scripted: Scripted, client: Client) -> None:
    client.health()

    client.close()
    client.close()

    while scripted.open_sockets:
        threading.Event().wait(0.001)
    with pytest.raises(BadArgument, match="closed"):
        client.health()


def test_a_forked_process_opens_connections_of_its_own(
    scripted: Scripted, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.health()
    here = os.getpid()

    monkeypatch.setattr("lakehouse_client.connections.os.getpid", lambda: here + 1)
    client.health()

    assert scripted.connections == 2


@pytest.mark.parametrize("prefix", ["", "/", "/lake/house", "/lake/house/"])
def test_a_base_url_may_have_a_path(scripted: Scripted, prefix: str) -> None:
    with Client(scripted.base_url + prefix) as client:
        client.health()

    assert scripted.received[0].path == prefix.rstrip("/") + "/health"


def test_proxies_of_the_environment_are_not_used(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    with Client(scripted.base_url) as client:
        assert client.health()


NO_BASE_URLS = [
    *("", "127.0.0.1:8000", "ftp://a", "http://", "http://a:port", "http://a:99999", "http://[::1"),
    *("http://a/?q", "http://a/#f", "http://a/b c", "http://a/é"),
]


@pytest.mark.parametrize("url", NO_BASE_URLS)
def test_what_is_no_base_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(BadArgument, match="Expected a base URL like"):
        Client(url)


def test_a_password_in_a_base_url_is_refused_and_not_shown() -> None:
    with pytest.raises(BadArgument) as caught:
        Client("http://me:hunter2@example.org")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://[::1]:8000", "https://example.org/x", "http://127.0.0.1:1"])
def test_a_target_is_shown_as_it_was_given(url: str) -> None:
    assert str(Target.of(url)) == url


def certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "certificate.pem"
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


def test_https_is_spoken_and_the_certificate_is_checked(tmp_path: Path, waits: list[float]) -> None:
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with serve(Scripted(), context) as scripted:
        url = scripted.base_url.replace("http:", "https:")

        with Client(url, ssl_context=ssl.create_default_context(cafile=str(file))) as client:
            assert client.health()
            assert client.health()
        with Client(url) as client, pytest.raises(ConnectionLost, match="certificate"):
            client.get_index("docs")

        assert (scripted.connections, waits) == (1, [])
