from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from lakehouse_site import logs


def _record(message: str = "index loaded", *, exc_info: Any = None, **fields: Any) -> logging.LogRecord:
    record = logging.LogRecord("lakehouse", logging.INFO, "file.py", 1, message, (), exc_info)
    vars(record).update(fields)
    return record


def test_an_event_is_one_json_line_with_its_fields_and_the_request_id() -> None:
    token = logs.request_id.set("abc-1")
    try:
        line = logs.JsonFormatter().format(_record(index="docs", seconds=0.5))
    finally:
        logs.request_id.reset(token)

    event = json.loads(line)
    assert (event["message"], event["index"], event["seconds"]) == ("index loaded", "docs", 0.5)
    assert (event["level"], event["logger"], event["request_id"]) == ("INFO", "lakehouse", "abc-1")


@pytest.mark.parametrize("formatter", [logs.JsonFormatter(), logs.PlainFormatter()])
@pytest.mark.parametrize(
    "value", ["a\nb", "\x1b[2J", "\ud800", float("nan"), 10**400, b"\xff", object(), {1: {2: 3}}, {(1, 2): 3}]
)
def test_no_value_breaks_a_line_or_the_formatter(formatter: logging.Formatter, value: Any) -> None:
    line = formatter.format(_record(value=value))

    assert "\n" not in line
    assert "\x1b" not in line


def test_a_traceback_is_a_field() -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        line = logs.JsonFormatter().format(_record("failed", exc_info=sys.exc_info()))

    assert "RuntimeError: broken" in json.loads(line)["exception"]
    assert "\n" not in line


def test_django_s_request_object_is_no_field() -> None:
    assert "request" not in json.loads(logs.JsonFormatter().format(_record(request=object())))
