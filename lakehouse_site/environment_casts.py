"""Text to value, for the variables of `environment.py`: strict, and each refusal says what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import environ

_ORIGIN = re.compile(r"https?://((\*\.)?[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?")
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


def read_seconds(text: str) -> int:
    if not re.fullmatch(r"\s*[0-9]{1,6}\s*", text):
        raise ValueError("write a whole number of seconds, 0 to switch it off")
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


def read_origins(text: str) -> list[str]:
    """Return addresses such as https://lakehouse.example.com, the form of the Origin header."""
    origins = read_words(text)
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"write scheme and name, such as https://lakehouse.example.com; {origin!r} is not one")
    return origins


def read_mail_server(text: str) -> dict[str, Any]:
    """Return Django's settings for sending mail."""
    wrong = "write smtp://user:password@host:port?from=name@host (or smtps://, smtp+tls://)"
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError(wrong) from None
    sender = dict(parse_qsl(parts.query)).get("from", "")
    if parts.scheme not in ("smtp", "smtps", "smtp+tls") or not parts.hostname or "@" not in sender:
        raise ValueError(wrong)
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or (465 if parts.scheme == "smtps" else 587 if parts.scheme == "smtp+tls" else 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "DEFAULT_FROM_EMAIL": sender,
    }


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
    if not host or re.search(r"[\s\[\]/]", host):
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
