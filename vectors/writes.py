"""Adding and deleting items: one short transaction each, in the order the head of the index gives."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from django.db.models import F
from django.utils import timezone

from lakehouse_site.errors import IndexNotFound
from vectors import metadata_rows, rows
from vectors.batches import Batch
from vectors.filter_index import Matching
from vectors.filters import Filter, matches, parse_metadata
from vectors.graph_types import Changes
from vectors.indexes import present_state
from vectors.models import IndexHead
from vectors.patches import Members, Patch, patched
from vectors.replicas import replicas
from vectors.rows import IndexState, NewRow, StoredRow
from vectors.transactions import run_write

MAX_TRIES = 5
DELETE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class AddResult:
    """`added` and `updated` count items as if they had come one by one; `count` and `seq` are those of the index."""

    added: int
    updated: int
    count: int
    seq: int


@dataclass(frozen=True, slots=True)
class DeleteResult:
    deleted: int
    missing: list[str]
    seq: int


@dataclass(frozen=True, slots=True)
class PatchResult:
    updated: int
    missing: list[str]
    seq: int


@dataclass(frozen=True, slots=True)
class Put:
    """What is to be stored under a key: little-endian float32 bytes and JSON text."""

    vector: bytes
    metadata: str | None
    keeps_metadata: bool


def add_items(*, state: IndexState, batch: Batch) -> AddResult:
    """Store a batch, all or nothing. When this returns, it is durable.

    Raises
    ------
    IndexNotFound
        The index was dropped since `state` was read.
    """
    puts = _collapse(batch)

    def work() -> tuple[AddResult, Changes | None]:
        seq, count = advance(state.id, state.name, len(puts))
        after_seq = seq - len(puts)
        added = write_puts(state.id, puts, after_seq, rows.stored(state.id, list(puts)))
        change_live_count(state.id, added)
        changes = _changes(state.id, puts, after_seq) if replicas.is_loaded(state.id) else None
        return AddResult(added, len(batch) - added, count + added, seq), changes

    result, changes = run_write(work)
    replicas.hand_over(state.id, result.seq - len(puts), changes)
    return result


def delete_items(*, state: IndexState, keys: Sequence[str]) -> DeleteResult:
    """Delete the items with these distinct ids, all or nothing.

    Raises
    ------
    IndexNotFound
        The index was dropped since `state` was read.
    """

    def work() -> DeleteResult:
        seq, _ = advance(state.id, state.name, len(keys))
        stored = rows.stored(state.id, keys)
        live = [key for key in keys if key in stored and not stored[key].is_deleted]
        bury_items(state.id, live, seq - len(live))
        gone = set(live)
        return DeleteResult(len(live), [key for key in keys if key not in gone], seq)

    result = run_write(work)
    replicas.written(state.id)
    return result


def delete_matching(*, state: IndexState, wanted: Filter) -> DeleteResult:
    """Delete the items that pass a filter, all or nothing.

    Raises
    ------
    IndexNotFound
        The index was dropped since `state` was read.
    """
    for _ in range(MAX_TRIES):
        seen = replicas.matching(state, wanted)
        result = run_write(partial(_delete_seen, state, seen))
        if result is not None:
            break
        state = present_state(state)
    else:  # others write all the time: look through the rows with the head locked
        result = run_write(partial(_delete_scanned, state, wanted))
    replicas.written(state.id)
    return result


def patch_items(*, state: IndexState, patches: Sequence[Patch], max_bytes: int) -> PatchResult:
    """Change keys of the metadata of items, all or nothing; vectors are not touched.

    Raises
    ------
    IndexNotFound
        The index was dropped since `state` was read.
    TooLarge
        The metadata of an item would have more than `max_bytes`.
    """
    changes: dict[str, Members] = {}
    for patch in patches:
        changes.setdefault(patch.key, {}).update(patch.changes)

    def work() -> PatchResult:
        seq, _ = advance(state.id, state.name, len(changes))
        live = rows.live_by_key(state.id, list(changes), with_vector=False)
        new = {key: patched(row.metadata, changes[key], max_bytes) for key, row in live.items()}
        changed = [(key, text) for key, text in new.items() if text != live[key].metadata]
        first = seq - len(changes) + 1
        metadata_rows.set_metadata(state.id, [(key, first + i, text) for i, (key, text) in enumerate(changed)])
        return PatchResult(len(live), [key for key in changes if key not in live], seq)

    result = run_write(work)
    replicas.written(state.id)
    return result


def advance(index_id: uuid.UUID, name: str, count: int) -> tuple[int, int]:
    """Reserve `count` sequence numbers and hold the head until commit; return its last_seq and live_count.

    It has to be the first statement of a write: the row lock is what makes sequence numbers visible in order. A
    database sequence would not do, for a reader could see 2 before 1 is committed and miss 1 for ever.
    """
    head = IndexHead.objects.filter(pk=index_id)
    changes = (
        {"last_seq": F("last_seq") + count, "updated_at": timezone.now()} if count else {"last_seq": F("last_seq")}
    )
    if not head.update(**changes):
        raise IndexNotFound(name)
    last_seq, live_count = head.values_list("last_seq", "live_count").get()
    return last_seq, live_count


def change_live_count(index_id: uuid.UUID, difference: int) -> None:
    """Correct the number of live items, in the transaction that changed it."""
    if difference:
        IndexHead.objects.filter(pk=index_id).update(live_count=F("live_count") + difference)


def write_puts(index_id: uuid.UUID, puts: Mapping[str, Put], after_seq: int, stored: Mapping[str, StoredRow]) -> int:
    """Write rows with the sequence numbers after `after_seq`; return how many keys were not live before.

    A vector that is already stored keeps its label, so no graph has anything to move.
    """
    added = 0
    keeping: list[NewRow] = []
    replacing: list[NewRow] = []
    for seq, (key, put) in enumerate(puts.items(), start=after_seq + 1):
        old = stored.get(key)
        is_live = old is not None and not old.is_deleted
        added += not is_live
        label = seq
        if old is not None and is_live and old.vector == put.vector:
            if put.keeps_metadata:
                continue
            label = old.label
        row = NewRow(key, seq, label, put.metadata, put.vector)
        (keeping if put.keeps_metadata else replacing).append(row)
    rows.upsert(index_id, keeping, keep_metadata=True)
    rows.upsert(index_id, replacing, keep_metadata=False)
    return added


def _changes(index_id: uuid.UUID, puts: Mapping[str, Put], after_seq: int) -> Changes:
    """Return what a replica would read of the rows that `write_puts` has just written."""
    last_seq = after_seq + len(puts)
    written = rows.places_between(index_id, after_seq, last_seq)
    vectors = [put.vector for put in puts.values()]
    return Changes(
        [row for row, _, _ in written],
        last_seq,
        [label for _, _, label in written],
        [False] * len(written),
        b"".join([vectors[seq - after_seq - 1] for _, seq, _ in written]),
    )


def bury_items(index_id: uuid.UUID, keys: Sequence[str], after_seq: int) -> None:
    """Turn live items into tombstones with the sequence numbers after `after_seq`."""
    rows.bury(index_id, keys, range(after_seq + 1, after_seq + 1 + len(keys)))
    change_live_count(index_id, -len(keys))


def _delete_seen(state: IndexState, seen: Matching) -> DeleteResult | None:
    """Delete what was seen to match; None, and nothing done, when there were writes since."""
    seq, _ = advance(state.id, state.name, 0)
    if seq != seen.seq:
        return None
    labels = seen.labels.tolist()
    for start in range(0, len(labels), DELETE_ROWS):
        keys = rows.keys_of(state.id, labels[start : start + DELETE_ROWS])
        seq = _bury_next(state, keys)
    return DeleteResult(len(labels), [], seq)


def _delete_scanned(state: IndexState, wanted: Filter) -> DeleteResult:
    seq, _ = advance(state.id, state.name, 0)
    deleted, cursor = 0, ""
    while page := rows.live_after(state.id, cursor, DELETE_ROWS, with_vector=False):
        cursor = page[-1].key
        keys = [row.key for row in page if matches(wanted, parse_metadata(row.metadata))]
        seq = _bury_next(state, keys)
        deleted += len(keys)
    return DeleteResult(deleted, [], seq)


def _bury_next(state: IndexState, keys: Sequence[str]) -> int:
    """Delete items with the next sequence numbers, in a transaction that holds the head; return the last of these."""
    seq, _ = advance(state.id, state.name, len(keys))
    bury_items(state.id, keys, seq - len(keys))
    return seq


def _collapse(batch: Batch) -> dict[str, Put]:
    """Return one put per key: of a repeated one the last vector, and the last metadata that were sent."""
    data = batch.vectors.astype("<f4", copy=False).tobytes()
    width = 4 * batch.vectors.shape[1]
    puts: dict[str, Put] = {}
    for i, (key, metadata) in enumerate(zip(batch.keys, batch.metadata, strict=True)):
        earlier = puts.get(key) if metadata is None else None
        vector = data[i * width : (i + 1) * width]
        if earlier is None:
            puts[key] = Put(vector, metadata, keeps_metadata=metadata is None)
        else:
            puts[key] = Put(vector, earlier.metadata, earlier.keeps_metadata)
    return puts
