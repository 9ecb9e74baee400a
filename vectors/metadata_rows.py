"""The SQL of metadata, for filters that follow it and for changes of many items; see `rows.py`."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import connection

from vectors.statements import id_param, run, run_many

_AFTER = """
SELECT id, seq, label, deleted, metadata FROM vectors_vectoritem
WHERE index_id = %s AND seq > %s AND (NOT deleted OR seq > %s) ORDER BY seq LIMIT %s
"""
_SET = """
UPDATE vectors_vectoritem SET metadata = {metadata}, seq = {seq} {source}
"""


def changes_after(
    index_id: uuid.UUID, seq: int, limit: int, *, live_until: int = 0
) -> list[tuple[int, int, int, bool, str | None]]:
    """Return (row id, seq, label, deleted, metadata) of up to `limit` rows changed after `seq`; see
    `rows.changes_after`."""
    return run(_AFTER, [id_param(index_id), seq, live_until, limit])


def set_metadata(index_id: uuid.UUID, changes: Sequence[tuple[str, int, str | None]]) -> None:
    """Give rows new metadata: (key, seq, JSON text) each; vectors and labels stay."""
    if not changes:
        return
    if connection.vendor == "sqlite":
        sql = _SET.format(metadata="?", seq="?", source="WHERE index_id = ? AND key = ?")
        run_many(sql, [(text, seq, index_id.hex, key) for key, seq, text in changes])
        return
    source = (
        "FROM unnest(%s::text[], %s::bigint[], %s::text[]) AS new (key, seq, metadata) "
        "WHERE vectors_vectoritem.index_id = %s AND vectors_vectoritem.key = new.key"
    )
    columns: list[list[Any]] = [list(column) for column in zip(*changes, strict=True)]
    run(_SET.format(metadata="new.metadata", seq="new.seq", source=source), [*columns, index_id])
