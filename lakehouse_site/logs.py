"""One line per event on stderr: JSON for machines, plain text when a person is looking."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="")

# What `logging` puts on every record; anything else was passed as `extra`. `request` and `server_time` are Django's.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request", "server_time"}


_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def begin_request(meta: Mapping[str, Any]) -> str:
    """Take the id that a request brings, or a new one, for what is logged from here on; return it.

    It is not reset afterwards: Django logs some failures late, and the next request sets its own.
    """
    sent = meta.get("HTTP_X_REQUEST_ID", "")
    own: str = sent if sent and _SANE_REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)
    request_id.set(own)
    return own


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {name: value for name, value in vars(record).items() if name not in _OWN}
    current = request_id.get()
    if current and "request_id" not in fields:
        fields["request_id"] = current
    return fields


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        # The standard library's encoder: it takes what orjson refuses (lone surrogates, huge integers), and logging
        # must not fail. Non-finite numbers are no JSON, so they are not let through either.
        try:
            return json.dumps(event, default=str, allow_nan=False)
        except (TypeError, ValueError):
            return json.dumps({str(name): str(value) for name, value in event.items()})


class PlainFormatter(logging.Formatter):
    """``12:30:01 INFO  logger: message (field='value')``"""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        # repr: a value that came over HTTP must not be able to start a new line or move the cursor.
        fields = " ".join(f"{name}={value!r}" for name, value in _fields(record).items())
        line = f"{time} {record.levelname:<7} {record.name}: {record.getMessage()}" + (f" ({fields})" if fields else "")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def logging_config(level: str) -> dict[str, Any]:
    """Return the ``LOGGING`` setting; granian takes the same one."""
    formatter = PlainFormatter if sys.stderr.isatty() else JsonFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handlers (mail to admins, the console in debug mode) are replaced by ours.
            "django": {"handlers": [], "level": level, "propagate": True},
            # Its one line per 4xx says less than ours per refusal and than the access log; failures (5xx) stay.
            "django.request": {"handlers": [], "level": "ERROR", "propagate": True},
            "botocore": {"level": "WARNING"},
            "boto3": {"level": "WARNING"},
            "_granian": {"handlers": [], "level": "WARNING", "propagate": True},
            "granian.access": {"handlers": [], "level": level, "propagate": True},
        },
    }
