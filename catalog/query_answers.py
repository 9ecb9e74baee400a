"""How the rows of a query are sent: from the file they were kept in, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from catalog.query import QueryAnswer

CONTENT_TYPES: Final = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
}
_PIECE_BYTES = 256 * 1024


def facts_of(answer: QueryAnswer) -> dict[str, Any]:
    """Return what is said of the rows as a whole."""
    return {
        "row_count": answer.rows,
        "truncated": answer.is_cut,
        "seconds": answer.seconds,
        "query_id": str(answer.query_id),
        "tables": list(answer.tables),
    }


class Pieces:
    """The whole answer, of JSON with the facts at its end, once. What it is kept in goes with `close`."""

    def __init__(self, answer: QueryAnswer, answer_format: str) -> None:
        self._answer = answer
        self._is_json = answer_format == "json"

    def __iter__(self) -> Iterator[bytes]:
        with self._answer.content as content:
            while piece := content.read(_PIECE_BYTES):
                yield piece
        if self._is_json:
            yield b"," + orjson.dumps(facts_of(self._answer))[1:]

    def close(self) -> None:
        self._answer.content.close()


def headers_of(answer: QueryAnswer) -> dict[str, str]:
    """Return the same facts as headers, for formats that have no place for them."""
    return {
        "X-Query-Id": str(answer.query_id),
        "X-Row-Count": str(answer.rows),
        "X-Truncated": str(answer.is_cut).lower(),
    }
