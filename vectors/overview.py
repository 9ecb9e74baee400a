"""What people want to know of indexes at a glance: memory, tombstones, what is unsaved, besides what callers get."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from vectors import snapshot_records
from vectors.indexes import IndexInfo, describe_all
from vectors.models import Snapshot, VectorIndex, VectorItem
from vectors.replicas import replicas


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """An index as people see it.

    `memory_bytes` is what it holds in this process, None when it is not loaded here. `unsaved_changes` is the number of
    sequence numbers its last snapshot lacks.
    """

    id: uuid.UUID
    info: IndexInfo
    memory_bytes: int | None
    tombstones: int
    generation: int
    unsaved_changes: int

    @property
    def snapshot_bytes(self) -> int | None:
        """Size of the last good snapshot."""
        return self.info.snapshot.bytes if self.info.snapshot else None

    @property
    def snapshot_at(self) -> datetime | None:
        """Time of the last good snapshot."""
        return self.info.snapshot.created_at if self.info.snapshot else None


def facts_of(*, indexes: Sequence[VectorIndex]) -> list[IndexFacts]:
    """Return the facts of indexes that were listed with their heads, by three queries for all of them."""
    tombstones = _tombstones([index.pk for index in indexes])
    memory = replicas.sizes_bytes()
    return [
        IndexFacts(
            id=index.pk,
            info=info,
            memory_bytes=memory.get(index.pk),
            tombstones=tombstones.get(index.pk, 0),
            generation=index.head.generation,
            unsaved_changes=info.seq - (info.snapshot.seq or 0 if info.snapshot else 0),
        )
        for index, info in zip(indexes, describe_all(indexes), strict=True)
    ]


def list_snapshots(*, index_id: uuid.UUID) -> list[Snapshot]:
    """Return the files of an index that are on record, whatever has become of them, the newest first."""
    return snapshot_records.listed(index_id)


def _tombstones(index_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    found = VectorItem.objects.filter(index_id__in=index_ids, deleted=True).order_by()
    return dict(found.values_list("index_id").annotate(Count("pk")))
