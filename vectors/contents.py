"""All items of an index as of one moment, page by page, while others go on writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from lakehouse_site.errors import IndexNotFound
from vectors import rows
from vectors.lhv1 import Description, IndexParams, Page
from vectors.rows import IndexState

PAGE_BYTES = 4 * 1024 * 1024


@contextmanager
def one_moment(state: IndexState) -> Iterator[IndexState]:
    """Let all reads inside see the database as it is now; yield the state of the index at this moment.

    It takes no lock. On SQLite the write-ahead log grows while it lasts.

    Raises
    ------
    IndexNotFound
        The index was dropped since `state` was read.
    """
    if connection.in_atomic_block:
        raise RuntimeError("A transaction is open already: it may hold writes that will never be.")
    with _one_moment_of_sqlite() if connection.vendor == "sqlite" else _one_moment_of_postgres():
        now = rows.read_state(state.name)
        if now is None or now.id != state.id:
            raise IndexNotFound(state.name)
        yield now


@contextmanager
def _one_moment_of_postgres() -> Iterator[None]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


@contextmanager
def _one_moment_of_sqlite() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")  # `atomic` would take the lock of writers
        try:
            yield
        finally:
            if connection.connection.in_transaction:  # SQLite ends one itself after some errors
                cursor.execute("ROLLBACK")


def pages(state: IndexState, *, after_label: int = -1) -> Iterator[Page]:
    """Yield all live items in the order of their labels; inside `one_moment` they are those of that moment."""
    limit = max(64, min(2_000, PAGE_BYTES // (4 * state.dimension)))
    while found := rows.live_after_label(state.id, after_label, limit):
        labels, keys, metadata, vectors = zip(*found, strict=True)
        after_label = labels[-1]
        yield Page(list(keys), np.array(labels, np.int64), b"".join(vectors), list(metadata))


def describe(state: IndexState) -> Description:
    """Return what a file with the content of an index at this state says of itself."""
    return Description(state.id, params_of(state), state.last_seq, timezone.now().isoformat())


def params_of(state: IndexState) -> IndexParams:
    """Return what the index was made with."""
    return IndexParams(state.name, state.dimension, state.distance, state.m, state.ef_construction, state.ef_search)
