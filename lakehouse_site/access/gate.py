"""From where a request may come, and where the service may listen."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from lakehouse_site.access import selectors
from lakehouse_site.access.addresses import (
    NetworkList,
    all_loopback,
    client_address,
    is_loopback,
    parse_address,
    parse_networks,
)

logger = logging.getLogger(__name__)

SET_CREDENTIALS = (
    "Set LAKEHOUSE_AUTH_TOKEN (for example to the output of `openssl rand -hex 32`), "
    "or make a token with `manage.py token_create NAME --scope admin`."
)
SET_PERMISSION = "Set LAKEHOUSE_ALLOW_NON_LOOPBACK=1 as well, or listen on 127.0.0.1."


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is refused.

    ``code`` goes to the caller as it is (for the bind gate: the id of the system check), ``hint`` says what to type.
    """

    code: str
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says to a request: ``refusal`` is ``None`` when it may pass."""

    address: str
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class _Source:
    address: str
    allowed: bool
    on_loopback: bool


@lru_cache(maxsize=32)
def networks(setting: str, text: str) -> NetworkList:
    """Return a list of networks from a setting; its invalid entries are logged once and dropped."""
    found = parse_networks(text)
    for entry in found.invalid:
        logger.error("invalid network dropped", extra={"setting": setting, "entry": entry})
    return found


@lru_cache(maxsize=4096)
def _source(peer: str, arrived_at: str, forwarded_for: str, allowed_ips: str, trusted_proxies: str) -> _Source:
    allowed = networks("LAKEHOUSE_ALLOWED_IPS", allowed_ips)
    trusted = networks("LAKEHOUSE_TRUSTED_PROXIES", trusted_proxies)
    address = client_address(peer, forwarded_for, trusted)
    # SERVER_NAME is the address the connection arrived at (granian), the one listened on (gunicorn), or a name (tests).
    own = parse_address(arrived_at)
    return _Source(
        address=str(address) if address is not None else f"unknown ({peer[:64]!r})",
        allowed=not allowed.configured or (address is not None and allowed.contains(address)),
        on_loopback=is_loopback(parse_address(peer)) and is_loopback(address) and (own is None or is_loopback(own)),
    )


def decide(request: HttpRequest) -> Decision:
    """Return whether a request may pass, by its addresses alone; the answer is kept on the request."""
    decision: Decision | None = getattr(request, "access_decision", None)
    if decision is None:
        decision = judge(request.META)
        request.access_decision = decision  # type: ignore[attr-defined]
        if decision.refusal is not None:
            log_refusal(request, decision.refusal.code)
    return decision


def judge(meta: Mapping[str, Any]) -> Decision:
    """Return the same for the variables of a request, and log nothing."""
    proxies = settings.LAKEHOUSE_TRUSTED_PROXIES
    source = _source(
        meta.get("REMOTE_ADDR", ""),
        meta.get("SERVER_NAME", ""),
        meta.get("HTTP_X_FORWARDED_FOR", "") if proxies else "",
        settings.LAKEHOUSE_ALLOWED_IPS,
        proxies,
    )
    refusal = None
    if not source.allowed:
        refusal = Refusal("address_not_allowed", "Requests from your address are not allowed (LAKEHOUSE_ALLOWED_IPS).")
    elif not source.on_loopback and not selectors.token_layer_is_on():
        refusal = Refusal("not_loopback", f"Without a token this service answers only on loopback. {SET_CREDENTIALS}")
    return Decision(source.address, refusal)


def log_refusal(request: HttpRequest, reason: str, **fields: str) -> None:
    """Log that a request was refused, with its address and never its token."""
    decision: Decision | None = getattr(request, "access_decision", None)
    address = decision.address if decision else request.META.get("REMOTE_ADDR", "")
    where = {"address": address, "method": request.method, "path": request.path[:200]}
    logger.warning("request refused", extra={"reason": reason, **where, **fields})


def bind_refusals(host: str) -> list[Refusal]:
    """Return everything that forbids listening on ``host``; nothing forbids loopback.

    Raises
    ------
    OSError
        The name cannot be resolved.
    """
    if host_is_loopback(host):
        return []
    refusals = []
    if not selectors.token_layer_is_on():
        detail = (
            f"{host} is not a loopback address, and no token is configured: anybody could read and delete everything."
        )
        refusals.append(Refusal("lakehouse.E001", detail, SET_CREDENTIALS))
    if not settings.LAKEHOUSE_ALLOW_NON_LOOPBACK:
        detail = f"{host} is not a loopback address, and LAKEHOUSE_ALLOW_NON_LOOPBACK is not set."
        refusals.append(Refusal("lakehouse.E002", detail, SET_PERMISSION))
    return refusals


def host_is_loopback(host: str) -> bool:
    """Return whether a host, resolved if it is a name, means loopback and nothing else."""
    address = parse_address(host)
    return is_loopback(address) if address is not None else all_loopback(resolve(host))


def resolve(host: str) -> list[str]:
    """Return the addresses of a name."""
    try:
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except UnicodeError as error:  # a label that is empty or too long
        raise OSError(str(error)) from None
