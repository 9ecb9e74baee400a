"""The environment variables this project reads: one table that `settings.py`, the documentation and a test share.

django-environ reads the database address. The other casts are our own because a wrong value must stop the start:
django-environ turns ``LAKEHOUSE_DEBUG=flase`` into False without a word, and takes a token that begins with ``$`` for
the name of another variable.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from lakehouse_site.environment_casts import (
    parse_bind,
    read_bind,
    read_choice,
    read_count,
    read_database,
    read_flag,
    read_hosts,
    read_mail_server,
    read_origins,
    read_rates,
    read_seconds,
    read_token,
    read_url,
)

__all__ = ["MEBIBYTE", "VARIABLES", "Variable", "parse_bind", "read_all"]

MEBIBYTE = 1024 * 1024
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable.

    ``read`` turns its text into the value or raises ValueError saying what would be right. ``default`` is the value
    when it is absent or blank, ``shown`` the same for the documentation. A ``secret`` may stand in the file that
    ``<name>_FILE`` names.
    """

    name: str
    read: Callable[[str], Any]
    default: Any
    shown: str
    meaning: str
    secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "LAKEHOUSE_DATA_DIR",
        lambda text: Path(text).expanduser().resolve(),
        None,
        "`var/` in the project",
        "Directory of the SQLite file, the local object storage and the secret key; created on start.",
    ),
    Variable(
        "LAKEHOUSE_SECRET_KEY",
        str.strip,
        "",
        "generated into `<data dir>/secret_key`",
        "Key that signs sessions. Set the same one everywhere when several machines share a database.",
        secret=True,
    ),
    Variable(
        "DATABASE_URL",
        read_database,
        None,
        "`sqlite:///<data dir>/lakehouse.sqlite3`",
        "SQLite or Postgres, for example `postgres://user:password@host:5432/name`.",
        secret=True,
    ),
    Variable(
        "LAKEHOUSE_SQLITE_SYNCHRONOUS",
        read_choice("FULL", "NORMAL"),
        "FULL",
        "`FULL`",
        "`NORMAL` is faster; the last writes before a power cut may then be lost (not those before a crash of"
        " the process).",
    ),
    Variable(
        "LAKEHOUSE_S3_BUCKET",
        str.strip,
        "",
        "off",
        "Keep objects in this S3 bucket instead of the data directory. Credentials and region by the usual "
        "`AWS_*` variables.",
    ),
    Variable(
        "LAKEHOUSE_S3_ENDPOINT_URL",
        read_url,
        "",
        "Amazon S3",
        "Address of another S3 service.",
    ),
    Variable(
        "LAKEHOUSE_MAX_BODY_BYTES",
        read_count,
        64 * MEBIBYTE,
        "`67108864` (64 MiB)",
        "Largest request body; a larger one is answered with 413.",
    ),
    Variable(
        "LAKEHOUSE_MAX_BATCH_ITEMS",
        read_count,
        10_000,
        "`10000`",
        "Most items in one call; more are answered with 413.",
    ),
    Variable(
        "LAKEHOUSE_VECTOR_MEMORY_MB",
        read_count,
        None,
        "half of the machine's memory",
        "Memory (MiB) a process may use for indexes; the least recently used are dropped and come back on demand.",
    ),
    Variable(
        "LAKEHOUSE_MAINTENANCE_SECONDS",
        read_seconds,
        30,
        "`30`",
        "How often a server looks for snapshots that are due and old tombstones; `0`: never, then let a timer run "
        "`manage.py vectors_maintain`.",
    ),
    Variable(
        "LAKEHOUSE_QUERY_TIMEOUT",
        read_count,
        30,
        "`30`",
        "Seconds a query may take; then it is killed and answered with 408.",
    ),
    Variable(
        "LAKEHOUSE_QUERY_MEMORY_MB",
        read_count,
        1024,
        "`1024`",
        "Memory (MiB) the process of one query, or of one file that is ingested, may use.",
    ),
    Variable(
        "LAKEHOUSE_QUERY_WORKERS",
        read_count,
        2,
        "`2`",
        "Queries that a server process runs at once; more wait for a few seconds and are then answered with 503.",
    ),
    Variable(
        "LAKEHOUSE_LAKE_EXPORTS",
        read_flag,
        True,
        "`1`",
        "Whether an export, when it has ended, is written to the tables `lakehouse.exports` and "
        "`lakehouse.export_decisions`; with `0`, only `manage.py lake_exports` does it.",
    ),
    Variable(
        "LAKEHOUSE_CATALOG_UNDROP_DAYS",
        read_count,
        7,
        "`7`",
        "Days in which a table that was dropped with its files can be undropped; then `manage.py lake_purge` deletes "
        "it for good.",
    ),
    Variable(
        "LAKEHOUSE_WORKER",
        read_flag,
        True,
        "`1`",
        "Whether `manage.py serve` has a worker beside it, a process that carries out what the admin queues; `0` where "
        "`manage.py worker` is a service of its own.",
    ),
    Variable(
        "LAKEHOUSE_BIND",
        read_bind,
        "127.0.0.1:8000",
        "`127.0.0.1:8000`",
        "Where `manage.py serve` listens unless `--bind` says otherwise.",
    ),
    Variable(
        "LAKEHOUSE_AUTH_TOKEN",
        read_token,
        "",
        "off",
        "Bearer token that may do everything. Without it and without tokens in the database only loopback is served.",
        secret=True,
    ),
    Variable(
        "LAKEHOUSE_ALLOWED_IPS",
        str,
        "",
        "off",
        "Source addresses that are served: CIDRs and addresses, separated by commas.",
    ),
    Variable(
        "LAKEHOUSE_TRUSTED_PROXIES",
        str,
        "",
        "none",
        "Reverse proxies whose `X-Forwarded-For` counts: CIDRs and addresses, separated by commas.",
    ),
    Variable(
        "LAKEHOUSE_ALLOW_NON_LOOPBACK",
        read_flag,
        False,
        "`0`",
        "`1` lets `manage.py serve` listen on an address that is not loopback, if a token is configured.",
    ),
    Variable(
        "LAKEHOUSE_ALLOWED_HOSTS",
        read_hosts,
        None,
        "`localhost,127.0.0.1,[::1]`; `*` with LAKEHOUSE_AUTH_TOKEN and LAKEHOUSE_ALLOW_NON_LOOPBACK",
        "Names this service is called by (the `Host` header), separated by commas.",
    ),
    Variable(
        "LAKEHOUSE_TRUSTED_ORIGINS",
        read_origins,
        [],
        "none",
        "Addresses at which a proxy that speaks TLS offers this service, for example `https://lakehouse.example.com`, "
        "separated by commas: else the forms of the admin are refused there. With `https` ones alone, cookies of the "
        "admin travel over TLS only.",
    ),
    Variable(
        "LAKEHOUSE_THROTTLE_RATES",
        read_rates,
        {},
        "off",
        "Calls per caller and scope, for example `read=100/second,write=20/second`; more are answered with 429.",
    ),
    Variable(
        "LAKEHOUSE_EMAIL_URL",
        read_mail_server,
        None,
        "off",
        "Mail server for alerts of drift, and who they come from: `smtp://user:password@host:587?from=name@host`; "
        "`smtps://` for TLS from the start, `smtp+tls://` for STARTTLS.",
        secret=True,
    ),
    Variable(
        "LAKEHOUSE_WEBHOOK_HOSTS",
        read_hosts,
        [],
        "none",
        "Host names, separated by commas, that webhooks may call although they lead to a private or loopback address.",
    ),
    Variable(
        "LAKEHOUSE_LOG_LEVEL",
        read_choice(*LOG_LEVELS),
        "INFO",
        "`INFO`",
        f"One of {', '.join(LOG_LEVELS)}.",
    ),
    Variable(
        "LAKEHOUSE_DEBUG",
        read_flag,
        False,
        "`0`",
        "`1` shows Django's debug pages. Never where others can reach it.",
    ),
)


def read_all(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the value of every variable; ImproperlyConfigured names the variable and what is right."""
    source = os.environ if environment is None else environment
    return {variable.name: _read(variable, source) for variable in VARIABLES}


def _read(variable: Variable, source: Mapping[str, str]) -> Any:
    text = _secret_text(variable.name, source) if variable.secret else source.get(variable.name, "")
    if not text.strip():
        return variable.default
    try:
        return variable.read(text)
    except ValueError as error:
        shown = "" if variable.secret else f" is {text!r}:"
        raise ImproperlyConfigured(f"{variable.name}{shown or ' is not valid:'} {error}.") from None


def _secret_text(name: str, source: Mapping[str, str]) -> str:
    text, path = source.get(name, ""), source.get(f"{name}_FILE", "")
    if not path.strip():
        return text
    if text.strip():
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: keep one of them.")
    try:
        content = Path(path.strip()).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE is {path!r}, which cannot be read: {error}.") from None
    if not content.strip():
        # A secret that was meant to be there: an empty file must not switch a protection off.
        raise ImproperlyConfigured(f"{name}_FILE is {path!r}, which is empty: write the value into it.")
    return content.strip()
