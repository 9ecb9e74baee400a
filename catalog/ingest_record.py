"""Which files were taken already: the table's snapshots say it, and the rows of `IngestRun` for those that are gone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from catalog.callers import Caller
from catalog.ingest_requests import IngestRequest
from catalog.models import IngestRun, Relation, Warehouse
from vectors.transactions import run_write

CONTENT_KEY: Final = "lakehouse.content-key"
MODE: Final = "lakehouse.ingest-mode"
ROWS: Final = "lakehouse.ingest-rows"


@dataclass(frozen=True, slots=True)
class Done:
    """A file that is in a table."""

    relation: Relation
    snapshot_id: int | None
    rows: int


def content_key(warehouse: Warehouse, request: IngestRequest, standing: Relation | None, sha256: str) -> str:
    """Return the SHA-256 of the table, the bytes, the options and the mode.

    A table counts by its uuid, but one that is to be made by its name: the second call finds it made.
    """
    if request.mode == "create" or standing is None:
        table = [warehouse.name, *request.place.levels, request.place.name]
    else:
        table = [str(standing.uuid)]
    text = orjson.dumps([table, sha256, request.mode, request.options()], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


def marks(key: str, mode: str, rows: int) -> dict[str, str]:
    """Return what a snapshot, or a new table, says of the file it comes from."""
    return {CONTENT_KEY: key, MODE: mode, ROWS: str(rows)}


def done_before(standing: Relation | None, key: str, mode: str) -> Done | None:
    """Return what an earlier call with this key has done, if that still counts.

    It does not count once the snapshot was rolled back or its rows were replaced: then the file is wanted again.
    """
    if standing is None:
        return None
    metadata = orjson.loads(standing.metadata_text)
    if mode == "create":
        return _made_from(standing, metadata, key)
    seen: set[int] = set()
    is_replaced = False
    for snapshot in _history(metadata):
        seen.add(snapshot["snapshot-id"])
        summary = snapshot.get("summary") or {}
        if summary.get(CONTENT_KEY) == key:
            return Done(standing, snapshot["snapshot-id"], _rows_of(summary))
        if mode == "overwrite" or summary.get(MODE) == "overwrite":
            is_replaced = True
            break
    run = IngestRun.objects.filter(content_key=key, relation=standing).first()
    known = {snapshot["snapshot-id"] for snapshot in metadata.get("snapshots", ())}
    if run is None or is_replaced or run.snapshot_id in known:
        return None
    return Done(standing, run.snapshot_id, run.rows)  # its snapshot has expired; the rows are there


def _made_from(standing: Relation, metadata: Mapping[str, Any], key: str) -> Done | None:
    properties = metadata.get("properties") or {}
    if properties.get(CONTENT_KEY) != key:
        return None
    first: Mapping[str, Any] = next(
        (one for one in metadata.get("snapshots", ()) if (one.get("summary") or {}).get(CONTENT_KEY) == key), {}
    )
    return Done(standing, first.get("snapshot-id"), _rows_of(properties))


def _rows_of(told: Mapping[str, str]) -> int:
    # Who may write to the table may also have put something else there.
    text = told.get(ROWS, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _history(metadata: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The current snapshot and those it was built on, newest first."""
    by_id = {snapshot["snapshot-id"]: snapshot for snapshot in metadata.get("snapshots", ())}
    found = by_id.get(metadata.get("current-snapshot-id"))
    while found is not None:
        yield found
        found = by_id.pop(found.get("parent-snapshot-id"), None)


def record(
    done: Done,
    *,
    key: str,
    request: IngestRequest,
    source: str,
    sha256: str,
    size: int,
    caller: Caller,
    seconds: float,
) -> None:
    """Write the row of a file that is in a table, unless it is there already."""
    facts = {
        "relation": done.relation,
        "source": source.replace("\x00", ""),
        "file_format": request.file_format,
        "mode": request.mode,
        "options": orjson.loads(orjson.dumps(request.options())),
        "sha256": sha256,
        "size_bytes": size,
        "rows": done.rows,
        "snapshot_id": done.snapshot_id,
        "fingerprint": done.relation.schema_fingerprint,
        "principal": caller.principal,
        "seconds": seconds,
    }

    def work() -> None:
        known = IngestRun.objects.filter(content_key=key, relation=done.relation, snapshot_id=done.snapshot_id)
        if not known.exists():
            IngestRun.objects.update_or_create(content_key=key, defaults=facts)

    run_write(work)
