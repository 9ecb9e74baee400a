"""What is measured with: a CSV of orders from a fixed seed, and manifests that make a commit a real one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import csv
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    write_manifest,
    write_manifest_list,
)
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema
from pyiceberg.typedef import Record

from benchmarks.catalog.tables import SCHEMA

SEED: Final = 20_260_801
REGIONS: Final = ("north", "south", "east", "west", "overseas")
STANDING: Final = 9
"""Manifests that each list repeats beside its own new one, as a table has them that is compacted now and then."""
_PIECE = 250_000


def write_csv(path: Path, rows: int) -> None:
    """Write `rows` orders of six columns: two whole numbers, a moment, two texts, an amount of two decimals."""
    random = np.random.default_rng(SEED)
    start = np.datetime64("2026-01-01T00:00:00", "s")
    with path.open("wb") as file:
        for first in range(0, rows, _PIECE):
            count = min(_PIECE, rows - first)
            table = pa.table(
                {
                    "id": np.arange(first, first + count),
                    "ordered_at": start + random.integers(0, 200 * 86_400, count).astype("timedelta64[s]"),
                    "customer": [f"C{number:06d}" for number in random.integers(0, 50_000, count).tolist()],
                    "region": np.array(REGIONS)[random.integers(0, len(REGIONS), count)],
                    "amount": np.round(random.gamma(2.0, 40.0, count), 2),
                    "quantity": random.integers(1, 13, count),
                }
            )
            csv.write_csv(table, file, csv.WriteOptions(include_header=first == 0, quoting_style="needed"))


def write_manifest_lists(folder: Path, count: int) -> list[str]:
    """Return the locations of lists for `count` snapshots: each names a manifest of its own and `STANDING` shared ones.

    The data files in them do not exist: nobody opens them before a query does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    io = PyArrowFileIO()
    root = f"file://{folder}"
    shared = [_manifest(io, f"{root}/shared-{number}.avro", root) for number in range(STANDING)]
    found = []
    for number in range(count):
        own = _manifest(io, f"{root}/manifest-{number}.avro", root)
        location = f"{root}/snap-{number}.avro"
        _list(io, location, [*shared, own])
        found.append(location)
    return found


def _manifest(io: PyArrowFileIO, location: str, root: str) -> ManifestFile:
    output = io.new_output(location)
    with write_manifest(2, UNPARTITIONED_PARTITION_SPEC, Schema.model_validate(SCHEMA), output, 1, "deflate") as writer:
        file = DataFile.from_args(**_facts(f"{root}/data-of-{location.rpartition('/')[2]}.parquet"))
        writer.add_entry(ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=1, data_file=file))
    return writer.to_manifest_file()


def _facts(path: str) -> dict[str, Any]:
    return {
        "content": DataFileContent.DATA, "file_path": path, "file_format": FileFormat.PARQUET, "partition": Record(),
        "record_count": 1_000, "file_size_in_bytes": 40_000, "column_sizes": {1: 8_000, 2: 20_000, 3: 8_000},
        "value_counts": {1: 1_000, 2: 1_000, 3: 1_000}, "null_value_counts": {1: 0, 2: 0, 3: 0},
        "nan_value_counts": {}, "lower_bounds": {}, "upper_bounds": {}, "key_metadata": None, "split_offsets": [4],
        "equality_ids": None, "sort_order_id": None, "spec_id": 0,
    }  # fmt: skip


def _list(io: PyArrowFileIO, location: str, manifests: Sequence[ManifestFile]) -> None:
    with write_manifest_list(2, io.new_output(location), 1, None, 1, "deflate") as writer:
        writer.add_manifests(list(manifests))
