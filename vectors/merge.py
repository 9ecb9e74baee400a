"""Merging one index into another, in chunks that are each one transaction over both."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lakehouse_site.errors import IndexNotFound, InvalidInput, MergeConflict
from vectors import rows
from vectors.indexes import index_state
from vectors.models import IndexHead
from vectors.replicas import replicas
from vectors.rows import IndexState, LiveRow, StoredRow
from vectors.transactions import run_write
from vectors.validation import Merge
from vectors.writes import Put, advance, bury_items, change_live_count, write_puts

CHUNK_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class MergeResult:
    """Counts of items. With `dry_run` they tell what a merge would do; the last two are always what is."""

    source: str
    dest: str
    scanned: int
    added: int
    overwritten: int
    skipped: int
    deleted: int
    source_count: int
    dest_count: int


@dataclass(slots=True)
class _Tally:
    scanned: int = 0
    added: int = 0
    overwritten: int = 0
    skipped: int = 0
    deleted: int = 0


def merge_indexes(*, source: str, merge: Merge, progress: Callable[[int], None] = lambda scanned: None) -> MergeResult:
    """Copy the items of `source` into `merge.dest`, or move them with `clear_source`.

    Every chunk is atomic in both indexes: at each instant an item is in the source, the destination, or both. A merge
    that was interrupted is simply run again.

    Parameters
    ----------
    source, merge
        What to merge into what, and how.
    progress
        Called with the number of items of each finished chunk.

    Raises
    ------
    InvalidInput
        Source and destination are the same, or differ in dimension or distance.
    IndexNotFound
        One of them does not exist.
    MergeConflict
        `on_conflict` is ``error`` and both hold an id. Found before anything is written, unless another writer adds it
        while the merge runs: then the chunks before it stay merged.
    """
    states = check_merge(source=source, dest=merge.dest)
    if merge.on_conflict == "error":
        _refuse_conflicts(*states)
    tally = _Tally()
    cursor: str | None = ""
    while cursor is not None:
        cursor = _next_chunk(states, merge, tally, cursor, progress)
    source_now, dest_now = index_state(name=source), index_state(name=merge.dest)
    return MergeResult(
        source,
        merge.dest,
        tally.scanned,
        tally.added,
        tally.overwritten,
        tally.skipped,
        tally.deleted,
        source_now.live_count,
        dest_now.live_count,
    )


def check_merge(*, source: str, dest: str) -> tuple[IndexState, IndexState]:
    """Return the states of two indexes of which one can be merged into the other.

    Raises
    ------
    InvalidInput
        They are the same, or differ in dimension or distance.
    IndexNotFound
        One of them does not exist.
    """
    if source == dest:
        raise InvalidInput.at("/dest", "self_merge", "An index cannot be merged into itself.")
    states = index_state(name=source), index_state(name=dest)
    _refuse_mismatch(*states)
    return states


def _next_chunk(
    states: tuple[IndexState, IndexState], merge: Merge, tally: _Tally, cursor: str, progress: Callable[[int], None]
) -> str | None:
    """Merge the rows after `cursor` and return the next one, None at the end."""
    source, dest = states
    if merge.dry_run:
        chunk = rows.live_after(source.id, cursor, CHUNK_ROWS, with_vector=False)
        counts = _split(chunk, rows.stored(dest.id, [row.key for row in chunk]))
    else:
        chunk, counts = run_write(lambda: _merge_chunk(source, dest, merge, cursor))
        replicas.written(source.id)
        replicas.written(dest.id)
    fresh, known = counts
    tally.scanned += len(chunk)
    tally.added += len(fresh)
    tally.deleted += len(fresh) if merge.clear_source else 0
    if merge.on_conflict == "overwrite":
        tally.overwritten += len(known)
    else:
        tally.skipped += len(known)
    progress(len(chunk))
    return chunk[-1].key if len(chunk) == CHUNK_ROWS else None


def _merge_chunk(
    source: IndexState, dest: IndexState, merge: Merge, cursor: str
) -> tuple[list[LiveRow], tuple[list[LiveRow], list[LiveRow]]]:
    _lock_heads(source, dest)
    chunk = rows.live_after(source.id, cursor, CHUNK_ROWS, with_vector=True)
    stored = rows.stored(dest.id, [row.key for row in chunk])
    fresh, known = _split(chunk, stored)
    if known and merge.on_conflict == "error":
        raise MergeConflict(dest.name, [row.key for row in known])
    moving = [*fresh, *known] if merge.on_conflict == "overwrite" else fresh
    if moving:
        puts = {row.key: Put(row.vector or b"", row.metadata, keeps_metadata=False) for row in moving}
        seq, _ = advance(dest.id, dest.name, len(puts))
        change_live_count(dest.id, write_puts(dest.id, puts, seq - len(puts), stored))
    if fresh and merge.clear_source:
        seq, _ = advance(source.id, source.name, len(fresh))
        bury_items(source.id, [row.key for row in fresh], seq - len(fresh))
    return chunk, (fresh, known)


def _lock_heads(source: IndexState, dest: IndexState) -> None:
    """Lock both heads in the order of their primary keys, so that merges in opposite directions cannot deadlock."""
    found: set[uuid.UUID] = set(
        IndexHead.objects.select_for_update()
        .filter(pk__in=(source.id, dest.id))
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    for state in (source, dest):
        if state.id not in found:
            raise IndexNotFound(state.name)


def _split(chunk: Sequence[LiveRow], stored: dict[str, StoredRow]) -> tuple[list[LiveRow], list[LiveRow]]:
    """Return the rows the destination does not have, and those it has."""
    live = {key for key, row in stored.items() if not row.is_deleted}
    return [row for row in chunk if row.key not in live], [row for row in chunk if row.key in live]


def _refuse_mismatch(source: IndexState, dest: IndexState) -> None:
    for what in ("dimension", "distance"):
        mine, theirs = getattr(source, what), getattr(dest, what)
        if mine != theirs:
            detail = f"{source.name!r} has {what} {mine}, {dest.name!r} has {theirs}: they cannot be merged."
            raise InvalidInput.at("/dest", f"{what}_mismatch", detail)


def _refuse_conflicts(source: IndexState, dest: IndexState) -> None:
    cursor = ""
    while chunk := rows.live_after(source.id, cursor, CHUNK_ROWS, with_vector=False):
        _, known = _split(chunk, rows.stored(dest.id, [row.key for row in chunk]))
        if known:
            raise MergeConflict(dest.name, [row.key for row in known])
        cursor = chunk[-1].key
