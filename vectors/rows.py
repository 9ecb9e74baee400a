"""The SQL of the hot paths, for SQLite and Postgres: everything here touches many rows, or runs at every search.

On SQLite a replica that follows writes reads their rows as one row of arrays: with every row it steps to, Python's
driver lets go of the interpreter lock, and beside a busy thread it can take a millisecond to get it back. First loads
and hits come as rows, which cost less where nobody is in the way.

Through the ORM the same statements cost 2 to 8 times as much (1,000 rows of 768 numbers: 35 ms against 16 ms to write;
50,000 to read: 0.6 to 1.3 s against 0.16 s), so this one module goes to the drivers. All else uses the ORM.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from django.db import connection

from vectors.distances import Distance
from vectors.graph_types import Changes, GraphParams
from vectors.statements import id_param, list_param, run, run_many

Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True)
class IndexState:
    """What a search needs to know of an index, as of one moment."""

    id: uuid.UUID
    name: str
    dimension: int
    distance: Distance
    m: int
    ef_construction: int
    ef_search: int
    last_seq: int
    live_count: int
    tombstone_floor: int
    generation: int

    @property
    def graph_params(self) -> GraphParams:
        return GraphParams(self.dimension, self.distance, self.m, self.ef_construction, self.ef_search)


class LiveRow(NamedTuple):
    """An item that is not deleted; `vector` is None where it was not asked for."""

    key: str
    metadata: str | None
    vector: bytes | None


class LabelledRow(NamedTuple):
    """An item that is not deleted, with its label."""

    label: int
    key: str
    metadata: str | None
    vector: bytes


class HitRow(NamedTuple):
    """The live item that has this label."""

    label: int
    key: str
    metadata: str | None
    vector: bytes


class StoredRow(NamedTuple):
    """What a write has to know of a row that exists, tombstones included."""

    key: str
    label: int
    is_deleted: bool
    vector: bytes


class NewRow(NamedTuple):
    """A row to insert, or to put in the place of the one with the same key."""

    key: str
    seq: int
    label: int
    metadata: str | None
    vector: Buffer


_STATE = """
SELECT i.id, i.name, i.dimension, i.distance, i.m, i.ef_construction, i.ef_search,
       h.last_seq, h.live_count, h.tombstone_floor, h.generation
FROM vectors_vectorindex i JOIN vectors_indexhead h ON h.index_id = i.id WHERE i.name = %s
"""
_CHANGES = """
SELECT id, seq, label, deleted, vector FROM vectors_vectoritem
WHERE index_id = %s AND seq > %s AND (NOT deleted OR seq > %s) ORDER BY seq LIMIT %s
"""
_CHANGES_AS_ONE = f"""
SELECT json_group_array(id), max(seq), json_group_array(label), json_group_array(deleted), group_concat(hex(vector), '')
FROM ({_CHANGES})
"""  # noqa: S608  both are constants
_HITS = """
SELECT label, key, metadata, vector FROM vectors_vectoritem
WHERE index_id = %s AND label {among} AND NOT deleted
"""
_STORED = """
SELECT key, label, deleted, vector FROM vectors_vectoritem WHERE index_id = %s AND key {among}
"""
_LIVE_BY_KEY = """
SELECT key, metadata, {vector} FROM vectors_vectoritem WHERE index_id = %s AND key {among} AND NOT deleted
"""
_LIVE_AFTER = """
SELECT key, metadata, {vector} FROM vectors_vectoritem
WHERE index_id = %s AND key > %s AND NOT deleted ORDER BY key LIMIT %s
"""
_LIVE_AFTER_LABEL = """
SELECT label, key, metadata, vector FROM vectors_vectoritem
WHERE index_id = %s AND label > %s AND NOT deleted ORDER BY label LIMIT %s
"""
_EVERY_NTH = """
SELECT v.key, v.metadata, v.vector FROM vectors_vectoritem v JOIN (
    SELECT id, row_number() OVER (ORDER BY key) - 1 AS place FROM vectors_vectoritem WHERE index_id = %s AND NOT deleted
) numbered ON numbered.id = v.id WHERE place / %s * %s = place ORDER BY place LIMIT %s
"""
_LABELS = "SELECT id, label FROM vectors_vectoritem WHERE index_id = %s"
_DEAD = "SELECT id FROM vectors_vectoritem WHERE index_id = %s AND deleted"
_OF_LABELS = """
SELECT id, seq, label, deleted, vector FROM vectors_vectoritem
WHERE index_id = %s AND label {among} AND NOT deleted
"""
_UPSERT = """
INSERT INTO vectors_vectoritem (index_id, key, seq, label, metadata, vector, deleted)
{source}
ON CONFLICT (index_id, key) DO UPDATE SET seq = excluded.seq, label = excluded.label, vector = excluded.vector,
    deleted = excluded.deleted{metadata}
"""
_PLACES = """
SELECT id, seq, label FROM vectors_vectoritem WHERE index_id = %s AND seq > %s AND seq <= %s ORDER BY seq
"""
_KEYS_OF = "SELECT key FROM vectors_vectoritem WHERE index_id = %s AND label {among} AND NOT deleted"
_TOMBSTONE = """
UPDATE vectors_vectoritem SET deleted = TRUE, metadata = NULL, vector = {empty}, seq = {seq} {source}
"""
_PURGE = """
DELETE FROM vectors_vectoritem WHERE id IN (
    SELECT id FROM vectors_vectoritem WHERE index_id = %s AND deleted AND seq <= %s ORDER BY seq LIMIT %s
) RETURNING id
"""
_WITH_METADATA = ", metadata = excluded.metadata"


def read_state(name: str) -> IndexState | None:
    """Return the state of the index with this name; one indexed look-up."""
    found = run(_STATE, [name])
    if not found:
        return None
    index_id, *rest = found[0]
    return IndexState(index_id if isinstance(index_id, uuid.UUID) else uuid.UUID(index_id), *rest)


def changes_after(index_id: uuid.UUID, seq: int, limit: int, *, live_until: int = 0) -> Changes:
    """Return up to `limit` rows changed after `seq`, those with the lowest sequence numbers.

    Tombstones up to `live_until` are left out: who starts from nothing does not need those from before it started.
    """
    params = [id_param(index_id), seq, live_until, limit]
    if connection.vendor == "sqlite" and not live_until:
        ids, last_seq, labels, deleted, vectors = run(_CHANGES_AS_ONE, params)[0]
        return Changes(
            orjson.loads(ids),
            last_seq or 0,
            orjson.loads(labels),
            orjson.loads(deleted),
            bytes.fromhex(vectors or ""),
        )
    return _changes(run(_CHANGES, params))


def places_between(index_id: uuid.UUID, after_seq: int, last_seq: int) -> list[tuple[int, int, int]]:
    """Return row id, sequence number and label of the rows last changed after `after_seq`, up to `last_seq`."""
    return run(_PLACES, [id_param(index_id), after_seq, last_seq])


def changes_of(index_id: uuid.UUID, labels: Sequence[int]) -> Changes:
    """Return the live rows with these labels, as if they had just been added; labels that are gone are left out."""
    return _changes(run(_OF_LABELS, [id_param(index_id), list_param(labels)]))


def live_labels(index_id: uuid.UUID) -> dict[int, int]:
    """Return the label of every live row by its row id.

    The two reads need not show the same moment: whoever catches up from a sequence number that was read before them
    ends up right. But tombstones first: one that is purged between the reads would be taken for alive.
    """
    dead = run(_DEAD, [id_param(index_id)])
    labels: dict[int, int] = dict(run(_LABELS, [id_param(index_id)]))
    for (row,) in dead:
        labels.pop(row, None)
    return labels


def _changes(found: Sequence[Any]) -> Changes:
    columns = [list(column) for column in zip(*found, strict=True)] or [[], [0], [], [], []]
    return Changes(columns[0], columns[1][-1], columns[2], columns[3], b"".join(columns[4]))


def hits(index_id: uuid.UUID, labels: Sequence[int]) -> list[HitRow]:
    """Return the live rows with these labels, in any order; labels that are gone are left out."""
    return [HitRow(*row) for row in run(_HITS, [id_param(index_id), list_param(labels)])]


def stored(index_id: uuid.UUID, keys: Sequence[str]) -> dict[str, StoredRow]:
    """Return the rows with these keys, tombstones included."""
    return {row[0]: StoredRow(*row) for row in run(_STORED, [id_param(index_id), list_param(keys)])}


def live_by_key(index_id: uuid.UUID, keys: Sequence[str], *, with_vector: bool) -> dict[str, LiveRow]:
    """Return the live rows with these keys."""
    sql = _LIVE_BY_KEY.format(vector="vector" if with_vector else "NULL", among="{among}")
    return {row[0]: LiveRow(*row) for row in run(sql, [id_param(index_id), list_param(keys)])}


def live_after(index_id: uuid.UUID, key: str, limit: int, *, with_vector: bool) -> list[LiveRow]:
    """Return up to `limit` live rows with a greater key, by key."""
    sql = _LIVE_AFTER.format(vector="vector" if with_vector else "NULL")
    return [LiveRow(*row) for row in run(sql, [id_param(index_id), key, limit])]


def live_after_label(index_id: uuid.UUID, label: int, limit: int) -> list[LabelledRow]:
    """Return up to `limit` live rows with a greater label, by label."""
    return [LabelledRow(*row) for row in run(_LIVE_AFTER_LABEL, [id_param(index_id), label, limit])]


def every_nth(index_id: uuid.UUID, step: int, limit: int) -> list[LiveRow]:
    """Return every `step`-th live row by key, from the first, with its vector; up to `limit` of them."""
    return [LiveRow(*row) for row in run(_EVERY_NTH, [id_param(index_id), step, step, limit])]


def upsert(index_id: uuid.UUID, rows: Sequence[NewRow], *, keep_metadata: bool) -> None:
    """Insert rows or replace those with the same key; `keep_metadata` leaves what is stored there alone."""
    if not rows:
        return
    metadata = "" if keep_metadata else _WITH_METADATA
    if connection.vendor == "sqlite":
        sql = _UPSERT.format(source="VALUES (?, ?, ?, ?, ?, ?, FALSE)", metadata=metadata)
        own = index_id.hex
        run_many(sql, [(own, *row) for row in rows])
        return
    source = (
        "SELECT %s, key, seq, label, metadata, vector, FALSE FROM "
        "unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::bytea[]) "
        "AS new (key, seq, label, metadata, vector)"
    )
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
    run(_UPSERT.format(source=source, metadata=metadata), [index_id, *columns])


def bury(index_id: uuid.UUID, keys: Sequence[str], seqs: Sequence[int]) -> None:
    """Turn rows into tombstones: vector and metadata go, key and label stay."""
    if not keys:
        return
    if connection.vendor == "sqlite":
        sql = _TOMBSTONE.format(empty="x''", seq="?", source="WHERE index_id = ? AND key = ?")
        run_many(sql, [(seq, index_id.hex, key) for key, seq in zip(keys, seqs, strict=True)])
        return
    source = (
        "FROM unnest(%s::text[], %s::bigint[]) AS gone (key, seq) "
        "WHERE vectors_vectoritem.index_id = %s AND vectors_vectoritem.key = gone.key"
    )
    run(_TOMBSTONE.format(empty="''::bytea", seq="gone.seq", source=source), [list(keys), list(seqs), index_id])


def keys_of(index_id: uuid.UUID, labels: Sequence[int]) -> list[str]:
    """Return the ids of the live rows with these labels, in any order."""
    return [key for (key,) in run(_KEYS_OF, [id_param(index_id), list_param(labels)])]


def purge(index_id: uuid.UUID, until_seq: int, limit: int) -> int:
    """Delete up to `limit` tombstones with sequence numbers up to `until_seq`; return how many."""
    return len(run(_PURGE, [id_param(index_id), until_seq, limit]))


def drop_items(index_id: uuid.UUID) -> None:
    """Delete every row of an index."""
    run("DELETE FROM vectors_vectoritem WHERE index_id = %s", [id_param(index_id)])
