"""The metadata of one index in this process, for filters: columns that follow the rows as graphs do."""

from __future__ import annotations

import threading
import uuid

from django.db import connection

from lakehouse_site.errors import IndexNotFound
from vectors import metadata_rows, rows
from vectors.filters import Filter, parse_metadata
from vectors.metadata_columns import Entry, Labels, MetadataColumns
from vectors.rows import IndexState

PAGE_ROWS = 5_000


class FilterIndex:
    """Which items of an index pass a filter. Safe from any thread.

    Nothing is read before the first filter; a path that was never asked for is read when it is.
    """

    def __init__(self, index_id: uuid.UUID, name: str) -> None:
        self._index_id = index_id
        self._name = name
        self._lock = threading.Lock()
        self._columns = MetadataColumns()
        self._applied_seq = 0

    @property
    def size_bytes(self) -> int:
        return self._columns.size_bytes if self._applied_seq else 0

    def matching(self, state: IndexState, wanted: Filter) -> tuple[Labels, int]:
        """Return the labels of the items that pass, ascending, and the sequence number up to which writes are seen.

        It is at least `state.last_seq`.

        Raises
        ------
        IndexNotFound
            The index was dropped meanwhile.
        RuntimeError
            In a transaction, whose rollback would leave ghosts here.
        """
        if connection.in_atomic_block:
            raise RuntimeError("Filters cannot catch up inside a transaction; evaluate them before it.")
        with self._lock:
            try:
                self._make_ready(state, wanted)
            except BaseException:
                self._columns, self._applied_seq = MetadataColumns(), 0  # half of a page may be applied
                raise
            return self._columns.matching(wanted), self._applied_seq

    def _make_ready(self, state: IndexState, wanted: Filter) -> None:
        lacking = self._columns.lacking(wanted)
        if lacking or self._applied_seq == 0 or self._applied_seq < state.tombstone_floor:
            self._load(state, lacking)
        elif self._applied_seq < state.last_seq:
            before = self._applied_seq
            self._apply(state.last_seq, live_until=0)
            now = rows.read_state(self._name)
            if now is None or now.id != self._index_id:
                raise IndexNotFound(self._name)
            if before < now.tombstone_floor:  # some tombstones went while the pages were read
                self._load(now, set())

    def _load(self, state: IndexState, new_paths: set[str]) -> None:
        """Begin anew: also for one more path, since rows that are gone by now would never leave."""
        fresh = MetadataColumns()
        fresh.add_paths([*self._columns.paths(), *new_paths])
        self._columns, self._applied_seq = fresh, 0
        self._apply(state.last_seq, live_until=state.last_seq)

    def _apply(self, target_seq: int, *, live_until: int) -> None:
        while self._applied_seq < target_seq:
            found = metadata_rows.changes_after(self._index_id, self._applied_seq, PAGE_ROWS, live_until=live_until)
            self._columns.apply(
                Entry(row, label, bool(is_deleted), None if is_deleted else parse_metadata(text))
                for row, _, label, is_deleted, text in found
            )
            last_seq = found[-1][1] if found else 0
            self._applied_seq = last_seq if len(found) == PAGE_ROWS else max(last_seq, target_seq)
