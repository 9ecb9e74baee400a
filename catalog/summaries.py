"""Facts about a table that lists and pages show, and the short form of its metadata."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from catalog.errors import BadCatalogRequest
from catalog.json_places import INT64_MAX
from catalog.schemas import without_nulls
from catalog.table_parts import ROW_LINEAGE_VERSION, current_schema, current_snapshot_id, refs_of


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a table holds now.

    Attributes
    ----------
    row_count
        Rows that a reader would see; None when the summary of the current snapshot does not tell, as with equality
        deletes, or deletion vectors in v3. 0 without a snapshot.
    size_bytes
        Of all files of the current snapshot; None when its summary does not tell.
    schema_fingerprint
        SHA-256, in hexadecimal, of the current schema; its id does not count, those of its fields do.
    """

    format_version: int
    current_snapshot_id: int | None
    row_count: int | None
    size_bytes: int | None
    schema_fingerprint: str
    snapshot_count: int


def facts_of(metadata: Mapping[str, Any]) -> TableFacts:
    """Return what a table holds now.

    Parameters
    ----------
    metadata
        Checked, or written by this app; not changed.
    """
    current = current_snapshot_id(metadata)
    snapshots = metadata.get("snapshots") or []
    # The current one is nearly always the last.
    found = next((one for one in reversed(snapshots) if one["snapshot-id"] == current), None)
    summary: Mapping[str, Any] = (found or {}).get("summary") or {}
    return TableFacts(
        format_version=metadata["format-version"],
        current_snapshot_id=current,
        row_count=_row_count(summary, metadata["format-version"]) if found else 0,
        size_bytes=_number(summary, "total-files-size") if found else 0,
        schema_fingerprint=schema_fingerprint(current_schema(metadata)),
        snapshot_count=len(snapshots),
    )


def schema_fingerprint(schema: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hexadecimal, of a schema: of its fields and identifier fields, in one spelling."""
    facts = {
        "fields": without_nulls(schema["fields"]),
        "identifier-field-ids": sorted(schema.get("identifier-field-ids") or ()),
    }
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def snapshots_view(metadata: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """Return the metadata with all snapshots, or with those alone that a branch or tag is at.

    Parameters
    ----------
    metadata
        Checked, or written by this app; not changed.
    mode
        ``all`` or ``refs``.

    Raises
    ------
    BadCatalogRequest
        `mode` is another word.
    """
    if mode not in ("all", "refs"):
        raise BadCatalogRequest(f"Invalid snapshots mode: {mode[:50]!a}. It is all or refs.", pointer="/snapshots")
    view = dict(metadata)
    if mode == "refs" and "snapshots" in view:
        kept = {ref["snapshot-id"] for ref in refs_of(metadata).values()}
        view["snapshots"] = [one for one in view["snapshots"] if one["snapshot-id"] in kept]
    return view


def _row_count(summary: Mapping[str, Any], format_version: int) -> int | None:
    rows, deleted = _number(summary, "total-records"), _number(summary, "total-position-deletes") or 0
    if rows is None or _number(summary, "total-equality-deletes"):
        return None
    if deleted and format_version >= ROW_LINEAGE_VERSION:
        return None  # DuckDB counts a row again with each deletion vector that replaces another.
    return max(0, rows - deleted)


def _number(summary: Mapping[str, Any], name: str) -> int | None:
    text = summary.get(name)
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    return min(int(text), INT64_MAX)
