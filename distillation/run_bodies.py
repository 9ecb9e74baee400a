"""Bodies of requests that hold scored runs, as lines of a file would: each run's text as it was sent."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lakehouse_site.errors import InvalidInput

_BEGIN = re.compile(rb'\s*\{\s*"runs"\s*:\s*\[')
_END = re.compile(rb"\s*\]\s*\}\s*\Z")
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)


def lines_of_runs(body: bytes) -> bytes:
    """Return the runs of a body ``{"runs": […]}``, one a line, each with a line feed.

    Parameters
    ----------
    body
        Valid JSON. A parsed value would not do: an object with a key twice has lost one by then.

    Raises
    ------
    InvalidInput
        It is another object, or has other fields.
    """
    begin = _BEGIN.match(body)
    if begin is None:
        raise _other_body()
    # A line feed inside of a JSON text is a blank between tokens: in strings it is escaped.
    return b"".join(text.replace(b"\n", b" ") + b"\n" for text in _elements(body, begin.end()))


def lines_of_ndjson(body: bytes) -> bytes:
    """Return the lines of a body, each with a line feed: a request that has come whole has no unfinished line."""
    return body if not body or body.endswith(b"\n") else body + b"\n"


def _elements(body: bytes, start: int) -> Iterator[bytes]:
    depth, begin = 0, start
    for token in _TOKEN.finditer(body, start):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}") and depth:
            depth -= 1
        elif depth == 0 and mark in (b",", b"]"):
            text = body[begin : token.start()].strip()
            if text or mark == b",":
                yield text
            begin = token.end()
            if mark == b"]":
                if _END.match(body, token.start()) is None:
                    raise _other_body()
                return


def _other_body() -> InvalidInput:
    return InvalidInput.at("", "body", 'Expected {"runs": […]} and nothing else, or lines as application/x-ndjson.')
