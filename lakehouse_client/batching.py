"""Long lists, cut into calls of a size that the server takes; errors speak of places in the whole list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from lakehouse_client.errors import BadArgument, InvalidInput, LakehouseClientError

T = TypeVar("T")

DEFAULT_BATCH_ITEMS = 1_000
DEFAULT_BATCH_BYTES = 16 * 1024 * 1024


def batches(
    values: Iterable[T], text: Callable[[T, int], str], *, batch_items: int, batch_bytes: int
) -> Iterator[list[str]]:
    """Cut `values` into lists of JSON texts: at least one list, which may be empty.

    Parameters
    ----------
    values
        Read as far as one value beyond the batch that is yielded.
    text
        Makes the JSON text of a value at a position.
    batch_items, batch_bytes
        Limits of a batch; a value that is larger than `batch_bytes` makes a batch alone.
    """
    if batch_items < 1 or batch_bytes < 1:
        raise BadArgument("batch_items and batch_bytes must be 1 or more.")
    batch: list[str] = []
    size = 0
    for position, value in enumerate(values):
        one = text(value, position)
        if batch and (len(batch) >= batch_items or size + len(one) > batch_bytes):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one) + 1
    yield batch


def send_batches(
    cut: Iterator[list[str]], send: Callable[[bytes], Any], field: str, rest: bytes = b""
) -> Iterator[Any]:
    """Send batches one after the other and yield the answers.

    Parameters
    ----------
    cut
        From `batches`.
    send
        Sends a body, returns the answer.
    field
        The field of the body that holds the list.
    rest
        The JSON object with the other fields of the body.
    """
    others = rest.strip()[1:-1]
    end = b"]," + others + b"}" if others else b"]}"
    done = 0
    while True:
        try:
            batch = next(cut, None)
        except BadArgument as error:
            error.items_done = done
            raise
        if batch is None:
            return
        try:
            answer = send(f'{{"{field}":['.encode() + ",".join(batch).encode("ascii") + end)
        except LakehouseClientError as error:
            raise _moved(error, field, done) from error.__cause__
        yield answer
        done += len(batch)


def _moved(error: LakehouseClientError, field: str, done: int) -> LakehouseClientError:
    """Return the error with its positions counted from the first value of all."""
    moved = error
    if isinstance(error, InvalidInput) and done:
        place = re.compile(rf"/{field}/(\d+)")

        def move(text: str) -> str:
            return place.sub(lambda found: f"/{field}/{int(found[1]) + done}", text, count=1)

        faults = tuple(replace(fault, pointer=move(fault.pointer)) for fault in error.errors)
        detail = error.detail
        if error.errors and detail.startswith(error.errors[0].pointer):
            detail = faults[0].pointer + detail[len(error.errors[0].pointer) :]
        moved = InvalidInput(error.status, error.code, error.title, detail, error.request_id, faults, None, error.call)
        moved.tries, moved.maybe_done = error.tries, error.maybe_done
    moved.items_done = done
    return moved
