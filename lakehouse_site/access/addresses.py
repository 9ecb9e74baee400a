"""Lists of networks and the address a request came from (pure: no Django)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class NetworkList:
    """A comma-separated setting, read.

    Attributes
    ----------
    networks
        The valid entries, host bits masked; IPv4-mapped IPv6 entries as IPv4.
    invalid
        The entries that are neither an address nor a CIDR, as written.
    configured
        Whether anything was written at all. A list that was configured and has no valid entry matches nothing.
    """

    networks: tuple[Network, ...] = ()
    invalid: tuple[str, ...] = ()
    configured: bool = False

    def contains(self, address: Address) -> bool:
        """Return whether ``address`` lies in one of the networks."""
        return any(address.version == network.version and address in network for network in self.networks)


def parse_networks(text: str | None) -> NetworkList:
    """Read a comma-separated list of CIDRs and bare addresses.

    Parameters
    ----------
    text
        For example ``10.0.0.0/8, ::1``. ``None`` and blank text mean: not configured.
    """
    if text is None or not text.strip():
        return NetworkList()
    networks: list[Network] = []
    invalid: list[str] = []
    for entry in text.split(","):
        word = entry.strip()
        if not word:
            continue
        try:
            networks.append(_unmap_network(ipaddress.ip_network(word, strict=False)))
        except ValueError:
            invalid.append(word)
    return NetworkList(tuple(networks), tuple(invalid), configured=True)


def parse_address(text: str) -> Address | None:
    """Return the address written in ``text``, IPv4-mapped IPv6 as IPv4; ``None`` if it is not one.

    A port is dropped (``1.2.3.4:80``, ``[::1]:80``: some proxies write it), and so is a zone (``fe80::1%eth0``).
    """
    word = text.strip()
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        address = ipaddress.ip_address(word.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def client_address(peer: str, forwarded_for: str, trusted: NetworkList) -> Address | None:
    """Return the address a request counts as coming from.

    Parameters
    ----------
    peer
        The other end of the connection.
    forwarded_for
        The ``X-Forwarded-For`` header, or ``""``. Ignored unless the peer is in ``trusted``: anybody can send it.
    trusted
        The proxies whose word counts.

    Returns
    -------
    Address or None
        The right-most hop that is not a trusted proxy (the left-most one when all are); ``None`` when that hop, or the
        peer, is not an address: nothing is known then, and the caller must refuse.
    """
    address = parse_address(peer)
    if address is None or not forwarded_for.strip() or not trusted.contains(address):
        return address
    for hop in reversed(forwarded_for.split(",")):
        address = parse_address(hop)
        if address is None or not trusted.contains(address):
            return address
    return address


def is_loopback(address: Address | None) -> bool:
    """Return whether ``address`` is a loopback address."""
    return address is not None and address.is_loopback


def all_loopback(addresses: Sequence[str]) -> bool:
    """Return whether there is at least one address and every one is a loopback address."""
    return bool(addresses) and all(is_loopback(parse_address(address)) for address in addresses)


def _unmap_network(network: Network) -> Network:
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        low = int(network.network_address) & 0xFFFFFFFF
        return ipaddress.IPv4Network((low, network.prefixlen - 96))
    return network
