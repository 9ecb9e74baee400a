"""System checks: what is wrong with the configuration, and what to type.

=================  ==============================================================================================
lakehouse.E001     LAKEHOUSE_BIND is not loopback and no token is configured
lakehouse.E002     LAKEHOUSE_BIND is not loopback and LAKEHOUSE_ALLOW_NON_LOOPBACK is not set
lakehouse.E003     LAKEHOUSE_ALLOWED_IPS is set and has no valid entry: everybody is refused
lakehouse.E004     LAKEHOUSE_BIND names a host that cannot be resolved
lakehouse.W001     an entry of a list of networks is not valid and was dropped
lakehouse.W002     a variable looks like a misspelt one of ours
=================  ==============================================================================================
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import DatabaseError

from lakehouse_site.access import gate
from lakehouse_site.environment import VARIABLES, parse_bind


def bind_errors(host: str) -> list[CheckMessage]:
    """Return everything that forbids listening on ``host``, as check messages."""
    try:
        return [Error(item.detail, hint=item.hint, id=item.code) for item in gate.bind_refusals(host)]
    except OSError as error:
        hint = "Write an IP address, for example LAKEHOUSE_BIND=127.0.0.1:8000."
        return [Error(f"The host {host!r} cannot be resolved: {error}.", hint=hint, id="lakehouse.E004")]


@register("access")
def check_bind(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    host, _ = parse_bind(settings.LAKEHOUSE_BIND)
    try:
        return bind_errors(host)
    except DatabaseError:
        # Before the first `migrate` nobody can know whether there is a token; `serve` asks again.
        return []


@register("access")
def check_networks(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    messages: list[CheckMessage] = []
    for setting in ("LAKEHOUSE_ALLOWED_IPS", "LAKEHOUSE_TRUSTED_PROXIES"):
        found = gate.networks(setting, getattr(settings, setting))
        hint = f"Write addresses or CIDRs separated by commas, for example {setting}=10.0.0.0/8,192.168.1.7."
        if setting == "LAKEHOUSE_ALLOWED_IPS" and found.configured and not found.networks:
            messages.append(
                Error(f"{setting} has no valid entry, so everybody is refused.", hint=hint, id="lakehouse.E003")
            )
        messages += [
            Warning(f"{setting}: {entry!r} is neither an address nor a CIDR; dropped.", hint=hint, id="lakehouse.W001")
            for entry in found.invalid
        ]
    return messages


@register("access")
def check_names(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    known = [name for variable in VARIABLES for name in (variable.name, f"{variable.name}_FILE")]
    messages: list[CheckMessage] = []
    for name in sorted(os.environ):
        # A misspelt protection (LAKEHOUSE_ALLOWED_IP) would otherwise be no protection, without a word.
        if name.startswith("LAKEHOUSE_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if near:
                messages.append(
                    Warning(
                        f"{name} is not a variable of this project.",
                        hint=f"Did you mean {near[0]}?",
                        id="lakehouse.W002",
                    )
                )
    return messages
