from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_site.access.addresses import (
    all_loopback,
    client_address,
    is_loopback,
    parse_address,
    parse_networks,
)


def _client(peer: str, forwarded_for: str, trusted: str) -> str | None:
    address = client_address(peer, forwarded_for, parse_networks(trusted))
    return None if address is None else str(address)


@pytest.mark.parametrize(
    ("networks", "address", "inside"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),  # IPv4-mapped IPv6 is that IPv4 address
        ("::ffff:10.0.0.0/104", "10.1.2.3", True),
        ("10.1.2.3/8", "10.200.0.1", True),  # host bits are masked
        ("192.168.1.7", "192.168.1.7", True),
        ("192.168.1.7", "192.168.1.8", False),
        ("2001:db8::1", "2001:db8::1", True),
        ("2001:db8::1", "2001:db8::2", False),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("10.0.0.0/8, 2001:db8::/32", "2001:db8::5", True),
        ("::/0", "10.0.0.1", False),  # all of IPv6, none of IPv4
        ("nonsense, 10.0.0.0/8", "10.0.0.1", True),
        ("nonsense", "10.0.0.1", False),
    ],
)
def test_a_network_list_contains_what_it_says(networks: str, address: str, inside: bool) -> None:
    parsed = parse_address(address)
    assert parsed is not None

    assert parse_networks(networks).contains(parsed) is inside


def test_invalid_entries_are_reported_and_the_rest_is_kept() -> None:
    found = parse_networks(" 10.0.0.0/8 ,oops,, 300.1.1.1 ,10.0.0.0/33")

    assert [str(network) for network in found.networks] == ["10.0.0.0/8"]
    assert found.invalid == ("oops", "300.1.1.1", "10.0.0.0/33")


@pytest.mark.parametrize("text", [None, "", "  \t"])
def test_a_blank_list_is_not_configured(text: str | None) -> None:
    assert not parse_networks(text).configured


@pytest.mark.parametrize("text", [",", " , ,", "oops"])
def test_a_list_without_a_valid_entry_is_configured_and_empty(text: str) -> None:
    found = parse_networks(text)

    assert found.configured
    assert found.networks == ()


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "trusted", "expected"),
    [
        ("10.0.0.1", "1.2.3.4", "", "10.0.0.1"),  # nobody is trusted: the header is ignored
        ("10.0.0.1", "1.2.3.4", "10.9.9.9", "10.0.0.1"),  # the peer is not the trusted one
        ("10.0.0.1", "1.2.3.4", "10.0.0.0/8", "1.2.3.4"),
        ("10.0.0.1", "", "10.0.0.0/8", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", "10.0.0.0/8", "1.2.3.4"),  # what the sender wrote itself stands to the left
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "10.0.0.0/8", "1.2.3.4"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.0/8", "10.0.0.3"),  # all are proxies: the left-most
        ("10.0.0.1", "1.2.3.4, rubbish", "10.0.0.0/8", None),
        ("10.0.0.1", "rubbish, 1.2.3.4", "10.0.0.0/8", "1.2.3.4"),
        ("10.0.0.1", "1.2.3.4,", "10.0.0.0/8", None),
        ("10.0.0.1", "1.2.3.4:5678", "10.0.0.0/8", "1.2.3.4"),
        ("10.0.0.1", "[2001:db8::7]:5678", "10.0.0.0/8", "2001:db8::7"),
        ("::ffff:10.0.0.1", "::ffff:1.2.3.4", "10.0.0.0/8", "1.2.3.4"),
        ("", "1.2.3.4", "10.0.0.0/8", None),
        ("unix:", "1.2.3.4", "0.0.0.0/0", None),
    ],
)
def test_the_right_most_untrusted_hop_counts(peer: str, forwarded_for: str, trusted: str, expected: str | None) -> None:
    assert _client(peer, forwarded_for, trusted) == expected


@pytest.mark.parametrize("text", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "[::1]:80"])
def test_loopback_addresses(text: str) -> None:
    assert is_loopback(parse_address(text))


@pytest.mark.parametrize("text", ["0.0.0.0", "::", "10.0.0.1", "fe80::1%eth0", "localhost", "", "127.1", "0127.0.0.1"])  # noqa: S104
def test_not_loopback(text: str) -> None:
    assert not is_loopback(parse_address(text))


def test_no_address_at_all_is_not_loopback() -> None:
    assert not all_loopback([])
    assert all_loopback(["127.0.0.1", "::1"])
    assert not all_loopback(["127.0.0.1", "10.0.0.1"])


@given(st.text(max_size=40), st.text(max_size=80), st.text(max_size=40))
def test_no_text_makes_the_address_functions_fail(peer: str, forwarded_for: str, networks: str) -> None:
    client_address(peer, forwarded_for, parse_networks(networks))
    client_address("127.0.0.1", forwarded_for, parse_networks("127.0.0.0/8"))


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_host_bits_never_matter(address: object, length: int) -> None:
    parsed = parse_address(str(address))
    assert parsed is not None

    assert parse_networks(f"{address}/{length}").contains(parsed)
