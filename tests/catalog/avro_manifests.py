"""Manifest lists and manifests with whatever paths a test wants in them, as Avro files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import fastavro

_LIST_SCHEMA = {
    "type": "record",
    "name": "manifest_file",
    "fields": [
        {"name": "manifest_path", "type": "string", "field-id": 500},
        {"name": "manifest_length", "type": "long", "field-id": 501},
        {"name": "partition_spec_id", "type": "int", "field-id": 502},
        {"name": "content", "type": "int", "field-id": 517},
        {"name": "sequence_number", "type": "long", "field-id": 515},
        {"name": "min_sequence_number", "type": "long", "field-id": 516},
        {"name": "added_snapshot_id", "type": "long", "field-id": 503},
    ],
}
_MANIFEST_SCHEMA = {
    "type": "record",
    "name": "manifest_entry",
    "fields": [
        {"name": "status", "type": "int", "field-id": 0},
        {
            "name": "data_file",
            "field-id": 2,
            "type": {
                "type": "record",
                "name": "r2",
                "fields": [
                    {"name": "content", "type": "int", "field-id": 134},
                    {"name": "file_path", "type": "string", "field-id": 100},
                    {"name": "file_format", "type": "string", "field-id": 101},
                    {"name": "record_count", "type": "long", "field-id": 103},
                    {"name": "file_size_in_bytes", "type": "long", "field-id": 104},
                ],
            },
        },
    ],
}


def manifest_list(paths: Sequence[str], *, snapshot_id: int = 1) -> bytes:
    """Return a manifest list that names these manifests."""
    rows = [
        {
            "manifest_path": path,
            "manifest_length": 1,
            "partition_spec_id": 0,
            "content": 0,
            "sequence_number": 1,
            "min_sequence_number": 1,
            "added_snapshot_id": snapshot_id,
        }
        for path in paths
    ]
    return _avro(_LIST_SCHEMA, rows)


def manifest(paths: Sequence[str]) -> bytes:
    """Return a manifest that names these data files."""
    rows = [
        {
            "status": 1,
            "data_file": {
                "content": 0,
                "file_path": path,
                "file_format": "PARQUET",
                "record_count": 1,
                "file_size_in_bytes": 1,
            },
        }
        for path in paths
    ]
    return _avro(_MANIFEST_SCHEMA, rows)


def _avro(schema: Any, rows: Sequence[Any]) -> bytes:
    file = io.BytesIO()
    fastavro.writer(file, fastavro.parse_schema(schema), rows)
    return file.getvalue()
