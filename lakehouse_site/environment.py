"""The environment variables this project reads: one table that `settings.py`, the documentation and a test share.

django-environ reads the database address. The other casts are our own because a wrong value must stop the start:
django-environ turns ``LAKEHOUSE_DEBUG=flase`` into False without a word, and takes a token that begins with ``$`` for the
name of another variable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

MEBIBYTE = 1024 * 1024
SCOPES = ("read", "write", "admin")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_RATE = re.compile(r"(read|write|admin)=([1-9][0-9]{0,8})/(s|sec|second|m|min|minute|h|hour|d|day)")


def read_flag(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError("write 1 or 0")


def read_count(text: str) -> int:
    if not re.fullmatch(r"\s*[1-9][0-9]{0,17}\s*", text):
        raise ValueError("write a whole number of at least 1")
    return int(text)


def read_choice(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        word = text.strip().upper()
        if word not in choices:
            raise ValueError(f"write one of {', '.join(choices)}")
        return word

    return read


def read_words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def read_hosts(text: str) -> list[str]:
    hosts = read_words(text)
    for host in hosts:
        if "/" in host or re.search(r"\s", host) or (host.count(":") == 1):
            raise ValueError(f"write host names without scheme and port, separated by commas; {host!r} is not one")
    return hosts


def read_rates(text: str) -> dict[str, str]:
    rates: dict[str, str] = {}
    for word in read_words(text):
        match = _RATE.fullmatch(word)
        if match is None:
            raise ValueError(f"write for example read=100/second,write=20/second; {word!r} is not of that form")
        rates[match[1]] = f"{match[2]}/{match[3]}"
    return rates


def read_url(text: str) -> str:
    word = text.strip()
    parts = urlsplit(word)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write an address such as https://s3.example.com")
    return word


def read_token(text: str) -> str:
    word = text.strip()
    if not re.fullmatch(r"[!-~]+", word):
        # Servers drop or mangle other characters in headers, so such a token would never match.
        raise ValueError("a token is made of printable ASCII characters without spaces")
    return word


def read_bind(text: str) -> str:
    parse_bind(text)
    return text.strip()


def parse_bind(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, ``[IPV6]:PORT``, a bare ``PORT`` or a bare host (port 8000)."""
    word = text.strip()
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::([^:]*))?", word)
    if bracketed:
        host, port = bracketed[1], bracketed[2]
    elif word.isdecimal():
        host, port = "127.0.0.1", word
    elif word.count(":") > 1:
        raise ValueError("write an IPv6 address in brackets, for example [::1]:8000")
    else:
        host, _, rest = word.partition(":")
        port = rest if ":" in word else None
    if not host:
        raise ValueError("write HOST:PORT, for example 127.0.0.1:8000")
    if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
        raise ValueError(f"the port must be a number from 1 to 65535, not {port!r}")
    return host, int(port) if port is not None else 8000


def read_database(text: str) -> dict[str, Any]:
    scheme = text.partition(":")[0].strip().lower()
    right = "write sqlite:////absolute/path.sqlite3 or postgres://user:password@host:5432/name"
    if scheme not in ("sqlite", "postgres", "postgresql"):
        raise ValueError(right)
    try:
        config = dict(environ.Env.db_url_config(text.strip()))
    except ValueError:
        # Not the parser's own words: they quote the address, password included.
        raise ValueError(right) from None
    if not config.get("NAME") or config["NAME"] == ":memory:":
        raise ValueError(f"{right}; an in-memory database cannot be shared by the threads of the server")
    return config


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable.

    ``read`` turns its text into the value or raises ValueError saying what would be right. ``default`` is the value when
    it is absent or blank, ``shown`` the same for the documentation. A ``secret`` may stand in the file named by ``<name>_FILE``.
    """

    name: str
    read: Callable[[str], Any]
    default: Any
    shown: str
    meaning: str
    secret: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable("LAKEHOUSE_DATA_DIR", lambda text: Path(text).expanduser().resolve(), None, "`var/` in the project",
             "Directory of the SQLite file, the local object storage and the secret key; created on start."),
    Variable("LAKEHOUSE_SECRET_KEY", str.strip, "", "generated into `<data dir>/secret_key`",
             "Key that signs sessions. Set the same one everywhere when several machines share a database.", secret=True),
    Variable("DATABASE_URL", read_database, None, "`sqlite:///<data dir>/lakehouse.sqlite3`",
             "SQLite or Postgres, for example `postgres://user:password@host:5432/name`.", secret=True),
    Variable("LAKEHOUSE_SQLITE_SYNCHRONOUS", read_choice("FULL", "NORMAL"), "FULL", "`FULL`",
             "`NORMAL` is faster; the last writes before a power cut may then be lost (not those before a crash of the process)."),
    Variable("LAKEHOUSE_S3_BUCKET", str.strip, "", "off",
             "Keep objects in this S3 bucket instead of the data directory. Credentials and region by the usual `AWS_*` variables."),
    Variable("LAKEHOUSE_S3_ENDPOINT_URL", read_url, "", "Amazon S3", "Address of another S3 service."),
    Variable("LAKEHOUSE_MAX_BODY_BYTES", read_count, 64 * MEBIBYTE, "`67108864` (64 MiB)",
             "Largest request body; a larger one is answered with 413."),
    Variable("LAKEHOUSE_MAX_BATCH_ITEMS", read_count, 10_000, "`10000`", "Most items in one call; more are answered with 413."),
    Variable("LAKEHOUSE_VECTOR_MEMORY_MB", read_count, None, "half of the machine's memory",
             "Memory (MiB) a process may use for indexes; the least recently used are dropped and come back on demand."),
    Variable("LAKEHOUSE_BIND", read_bind, "127.0.0.1:8000", "`127.0.0.1:8000`",
             "Where `manage.py serve` listens unless `--bind` says otherwise."),
    Variable("LAKEHOUSE_AUTH_TOKEN", read_token, "", "off",
             "Bearer token that may do everything. Without it and without tokens in the database only loopback is served.", secret=True),
    Variable("LAKEHOUSE_ALLOWED_IPS", str, "", "off",
             "Source addresses that are served: CIDRs and addresses, separated by commas."),
    Variable("LAKEHOUSE_TRUSTED_PROXIES", str, "", "none",
             "Reverse proxies whose `X-Forwarded-For` counts: CIDRs and addresses, separated by commas."),
    Variable("LAKEHOUSE_ALLOW_NON_LOOPBACK", read_flag, False, "`0`",
             "`1` lets `manage.py serve` listen on an address that is not loopback, if a token is configured."),
    Variable("LAKEHOUSE_ALLOWED_HOSTS", read_hosts, None, "`localhost,127.0.0.1,[::1]`; `*` with LAKEHOUSE_AUTH_TOKEN and "
             "LAKEHOUSE_ALLOW_NON_LOOPBACK", "Names this service is called by (the `Host` header), separated by commas."),
    Variable("LAKEHOUSE_THROTTLE_RATES", read_rates, {}, "off",
             "Calls per caller and scope, for example `read=100/second,write=20/second`; more are answered with 429."),
    Variable("LAKEHOUSE_LOG_LEVEL", read_choice(*LOG_LEVELS), "INFO", "`INFO`", f"One of {', '.join(LOG_LEVELS)}."),
    Variable("LAKEHOUSE_DEBUG", read_flag, False, "`0`", "`1` shows Django's debug pages. Never where others can reach it."),
)  # fmt: skip


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
