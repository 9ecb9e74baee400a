"""Indexes back from their snapshots: registry, items and graphs, from what the object storage holds.

A snapshot is restored whole in one transaction, or not at all. An index that is there already is left alone, so a
restore that was cut off is simply run again.

What is restored is an index of its own, with a uuid of its own: it goes on from the sequence number of the file, and so
may the one the file was made of, in another database, or in a server that still has it in memory. Under one uuid their
graphs and files would be taken for one another's.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from django.db import IntegrityError
from django.utils import timezone

from lakehouse_site.errors import DamagedFile, IndexExists, InvalidInput, StorageFailed
from vectors import rows, snapshot_records
from vectors.columns import checked_batch
from vectors.lhv1 import Page
from vectors.lhv1_envelope import Envelope
from vectors.lhv1_reader import read_envelope, read_pages, verify
from vectors.models import IndexHead, VectorIndex
from vectors.objects import list_objects, open_object, stream_hash
from vectors.rows import NewRow
from vectors.snapshot_records import FOLDER, WrittenFile
from vectors.transactions import run_write
from vectors.validation import NewIndex, parse_new_index

logger = logging.getLogger(__name__)

INDEX_FIELDS = ("name", "dimension", "distance", "m", "ef_construction", "ef_search")


@dataclass(frozen=True, slots=True)
class Backup:
    """A file in the object storage that an index can be restored from; `older` names files of the same index."""

    object_name: str
    uuid: uuid.UUID
    name: str
    dimension: int
    distance: str
    count: int
    seq: int
    bytes: int
    created_at: str
    older: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """What the storage holds: the newest readable file of each index by name, and what is wrong with others."""

    backups: list[Backup]
    problems: list[str]


def list_backups() -> Listing:
    """Return the newest readable snapshot of each index in the object storage; contents are not verified yet.

    Raises
    ------
    StorageFailed
        The storage cannot be listed.
    """
    by_index: dict[str, list[str]] = {}
    for name in list_objects(FOLDER):
        if name.endswith(".lhv1"):
            by_index.setdefault(name.split("/")[-2], []).append(name)
    backups, problems = [], []
    for names in by_index.values():
        newest_first = sorted(names, key=_seq_of_name, reverse=True)
        for i, name in enumerate(newest_first):
            try:
                backups.append(replace(_described_in_place(name), older=tuple(newest_first[i + 1 :])))
                break
            except (DamagedFile, StorageFailed) as error:
                problems.append(f"{name}: {error.detail}")
    return Listing(sorted(backups, key=lambda one: (one.name, one.created_at)), problems)


def restore_soundest(
    *, backup: Backup, as_name: str | None = None, progress: Callable[[int], None] = lambda items: None
) -> tuple[Backup | None, list[str]]:
    """Restore an index from this file or, where it is damaged, from the newest older one that is not.

    Returns
    -------
    Backup or None
        What it was restored from; None when no file of the index is sound.
    list of str
        What is wrong with the files that were passed over.

    Raises
    ------
    IndexExists, InvalidInput, StorageFailed
        As `restore_index`.
    """
    problems: list[str] = []
    for name in (backup.object_name, *backup.older):
        try:
            found = backup if name == backup.object_name else _described_in_place(name)
            return restore_index(backup=found, as_name=as_name, progress=progress), problems
        except DamagedFile as error:
            problems.append(f"{name}: {error.detail}")
    return None, problems


def describe_backup(*, object_name: str) -> Backup:
    """Return what a file in the object storage says of itself.

    Raises
    ------
    DamagedFile
        It is missing, or no snapshot of an index.
    StorageFailed
        The storage fails.
    """
    with open_object(object_name) as file:
        envelope = read_envelope(file)
        size = file.seek(0, 2)
    said, params = envelope.description, envelope.description.params
    if said.uuid is None:
        raise DamagedFile(f"{object_name} is a file of version {envelope.version}; `index_import` reads it.")
    return Backup(
        object_name,
        said.uuid,
        params.name,
        params.dimension,
        params.distance,
        envelope.count,
        said.applied_seq,
        size,
        said.created_at,
    )


def restore_index(
    *, backup: Backup, as_name: str | None = None, progress: Callable[[int], None] = lambda items: None
) -> Backup:
    """Make the index of a snapshot anew, with its parameters, items and graph.

    Parameters
    ----------
    backup
        The snapshot.
    as_name
        The name it gets instead of its own.
    progress
        Called with the number of items of each page.

    Raises
    ------
    IndexExists
        There is an index of this name.
    DamagedFile
        The file fails its checksums or breaks its format; nothing was changed.
    InvalidInput
        It holds items that no index takes; nothing was changed.
    StorageFailed
        The storage fails.
    """
    started = time.perf_counter()
    index_id = uuid.uuid4()
    name = backup.name if as_name is None else as_name
    if VectorIndex.objects.filter(name=name).exists():
        raise IndexExists(name)
    with open_object(backup.object_name) as file:
        envelope = read_envelope(file)
        verify(file, envelope)
        new = _checked_params(envelope, name)
        file.seek(0)
        seq, graph_bytes = envelope.description.applied_seq, envelope.sections["graph"].length
        written = WrittenFile(seq, 0, graph_bytes, *stream_hash(file))

        def work() -> None:
            _write(index_id, new, file, envelope, progress)
            snapshot_records.adopt(index_id, backup.object_name, written)  # its graph is used from the first search on

        try:
            run_write(work)
        except IntegrityError as error:
            if VectorIndex.objects.filter(name=name).exists():
                raise IndexExists(name) from error
            raise DamagedFile(f"{backup.object_name} holds an id or a label twice.") from error
    facts = {"index": name, "object": backup.object_name, "items": backup.count}
    logger.info("index restored", extra=facts | {"seconds": time.perf_counter() - started})
    return backup


def choose(*, listing: Listing, names: Collection[str], newest: bool = False) -> list[Backup]:
    """Return the backups of these indexes, of all when none is named.

    Parameters
    ----------
    listing
        What there is.
    names
        The indexes wanted.
    newest
        Of several indexes that had one name (one after the other, or in several databases), take the latest file.

    Raises
    ------
    InvalidInput
        There is none of this name, or there are several.
    """
    chosen = []
    for name in sorted(names or {backup.name for backup in listing.backups}):
        found = [backup for backup in listing.backups if backup.name == name]
        if not found:
            raise InvalidInput.at("", "no_backup", f"The object storage has no snapshot of an index named {name!r}.")
        if len(found) > 1 and not newest:
            objects = ", ".join(backup.object_name for backup in found)
            detail = f"Several indexes were named {name!r}: choose one of {objects} with --object, or use --newest."
            raise InvalidInput.at("", "several_backups", detail)
        chosen.append(max(found, key=lambda backup: (backup.created_at, backup.object_name)))
    return chosen


def _described_in_place(name: str) -> Backup:
    backup = describe_backup(object_name=name)
    if (str(backup.uuid), backup.seq) != (name.split("/")[-2], _seq_of_name(name)):
        raise DamagedFile(f"It is a snapshot of {backup.name!r} at seq {backup.seq}, in the wrong place.")
    return backup


def _seq_of_name(name: str) -> int:
    digits = name.rsplit("/", 1)[-1].partition("-")[0]
    return int(digits) if digits.isdecimal() else -1


def _checked_params(envelope: Envelope, name: str) -> NewIndex:
    params = envelope.description.params
    fields = {field: getattr(params, field) for field in INDEX_FIELDS}
    return parse_new_index({**fields, "name": name})


def _write(
    index_id: uuid.UUID, new: NewIndex, file: BinaryIO, envelope: Envelope, progress: Callable[[int], None]
) -> None:
    now = timezone.now()
    fields = {field: getattr(new, field) for field in INDEX_FIELDS}
    index = VectorIndex.objects.create(pk=index_id, created_at=now, **fields)
    seq = envelope.description.applied_seq
    IndexHead.objects.create(index=index, last_seq=seq, live_count=envelope.count, updated_at=now)
    for page in read_pages(file, envelope):
        rows.upsert(index_id, list(_rows(page, new, seq)), keep_metadata=False)
        progress(len(page.keys))


def _rows(page: Page, new: NewIndex, last_seq: int) -> Iterator[NewRow]:
    vectors = np.frombuffer(page.vectors, "<f4").reshape(len(page.keys), -1)
    labels = page.labels.tolist()
    if labels and (labels[0] < 1 or labels[-1] > last_seq):
        raise DamagedFile(f"Labels {labels[0]} to {labels[-1]} are not from 1 to {last_seq}.")
    batch = checked_batch(page.keys, vectors, page.metadata, new.distance, lambda i: f"item {labels[i]}")
    data, width = page.vectors, 4 * new.dimension
    for i, (key, label, metadata) in enumerate(zip(batch.keys, labels, batch.metadata, strict=True)):
        # The sequence number of the last change is not in the file; that of the vector's is not later.
        yield NewRow(key, label, label, metadata, data[i * width : (i + 1) * width])
