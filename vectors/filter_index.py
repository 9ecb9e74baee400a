"""The metadata of one index in this process, for filters: columns that follow the rows as graphs do."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass

from django.db import Error, connection

from lakehouse_site.errors import IndexNotFound
from vectors import metadata_rows, rows
from vectors.filters import Filter, parse_metadata
from vectors.metadata_columns import Entry, Labels, MetadataColumns
from vectors.rows import IndexState

PAGE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Matching:
    """The labels of the items that pass a filter, ascending, as of one moment: all writes up to `seq` are in it."""

    labels: Labels
    seq: int


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

    def matching(self, state: IndexState, wanted: Filter) -> Matching:
        """Return what passes, with everything up to `state.last_seq` at least.

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
                return Matching(self._columns.matching(wanted), self._applied_seq)
            except Error:
                raise  # between two pages, so what is held can go on
            except BaseException:
                self._columns, self._applied_seq = MetadataColumns(), 0  # half of a page may be applied
                raise

    def is_ready(self, state: IndexState, wanted: Filter) -> bool:
        """Return whether the columns are in memory, but for the newest writes perhaps."""
        return state.tombstone_floor <= self._applied_seq > 0 and not self._columns.lacking(wanted)

    def _make_ready(self, state: IndexState, wanted: Filter) -> None:
        lacking = self._columns.lacking(wanted)
        # Anew also for one more path: rows that are gone by now would never leave a column that is read later.
        is_anew = bool(lacking) or self._applied_seq == 0 or self._applied_seq < state.tombstone_floor
        if not is_anew and self._applied_seq >= state.last_seq:
            return
        while True:
            if is_anew:
                fresh = MetadataColumns()
                fresh.add_paths([*self._columns.paths(), *lacking])
                self._columns, self._applied_seq = fresh, 0
            # Tombstones up to here concern nothing that is held.
            known_seq = state.last_seq if is_anew else self._applied_seq
            self._read(state.last_seq, live_until=known_seq if is_anew else 0)
            state = self._present_state()
            if state.tombstone_floor <= known_seq:
                return
            is_anew, lacking = True, set()  # tombstones after it may have gone while the pages were read

    def _read(self, target_seq: int, *, live_until: int) -> None:
        """Read pages to the last one, also past the target: an item that has just moved there was in no earlier one."""
        while True:
            found = metadata_rows.changes_after(self._index_id, self._applied_seq, PAGE_ROWS, live_until=live_until)
            self._columns.apply(
                Entry(row, label, bool(is_deleted), None if is_deleted else parse_metadata(text))
                for row, _, label, is_deleted, text in found
            )
            self._applied_seq = max(self._applied_seq, found[-1][1] if found else 0)
            if len(found) < PAGE_ROWS:
                self._applied_seq = max(self._applied_seq, target_seq)
                return

    def _present_state(self) -> IndexState:
        state = rows.read_state(self._name)
        if state is None or state.id != self._index_id:
            raise IndexNotFound(self._name)
        return state
