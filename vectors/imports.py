"""Items from files, in batches, so that a file larger than memory can be loaded and a load simply be run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lakehouse_site.errors import IndexExists, IndexNotFound, InvalidInput
from vectors import json_lines, npy_rows, parquet
from vectors.batches import Batch
from vectors.columns import checked_batch
from vectors.indexes import create_index, index_state
from vectors.lhv1 import IndexParams
from vectors.lhv1_envelope import Envelope
from vectors.lhv1_reader import read_envelope, read_pages, verify
from vectors.local_files import open_input
from vectors.rows import IndexState
from vectors.validation import parse_new_index
from vectors.writes import add_items

BATCH_ITEMS = 1_000
SUFFIXES = (".jsonl", ".npy", ".parquet", ".lhv1")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did; `count` is the number of items the index now has."""

    index: str
    read: int
    added: int
    updated: int
    count: int


def import_items(
    *,
    name: str,
    file: Path,
    items: Path | None = None,
    batch_items: int = BATCH_ITEMS,
    progress: Callable[[int], None] = lambda count: None,
) -> ImportResult:
    """Add the items of a file to an index.

    Parameters
    ----------
    name
        An index. With ``.lhv1`` it is created, if it does not exist, with the parameters the file states.
    file
        By its suffix: JSON lines (``{"id", "vector" or "vector_b64", "metadata"?}``), ``.npy`` of shape (n, dimension),
        Parquet with the columns id, vector and perhaps metadata, or LHV1 of any version. As in every add, an item
        without metadata leaves alone what is stored.
    items
        With ``.npy``: JSON lines (``{"id", "metadata"?}``), line i for row i.
    batch_items
        Each batch is one transaction.
    progress
        Called with the number of items of each finished batch.

    Raises
    ------
    IndexNotFound
        No index has this name.
    InvalidInput
        The file is of no known kind, does not fit the index, or an item is wrong; then the pointer starts with its
        place (``line 17``, counted from 1; ``row 17`` or ``item 17``, counted from 0). The batches before stay.
    DamagedFile
        The LHV1 file is not what was written; nothing was changed.
    """
    read = added = updated = 0
    with _batches(name, file, items, batch_items) as (state, batches):
        for batch in batches:
            result = add_items(state=state, batch=batch)
            read, added, updated = read + len(batch), added + result.added, updated + result.updated
            progress(len(batch))
    return ImportResult(name, read, added, updated, index_state(name=name).live_count)


@contextmanager
def _batches(
    name: str, file: Path, items: Path | None, batch_items: int
) -> Iterator[tuple[IndexState, Iterator[Batch]]]:
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        detail = f"{file.name} is of no known kind: its name has to end with one of {', '.join(SUFFIXES)}."
        raise InvalidInput.at("", "unknown_kind", detail)
    if items is not None and suffix != ".npy":
        raise InvalidInput.at("", "items_unused", f"--items goes with a .npy file; {suffix} files carry their own ids.")
    if suffix == ".lhv1":
        with open_input(file) as source:
            envelope = read_envelope(source)
            verify(source, envelope)
            state = _index_for(name, file, envelope.description.params)
            yield state, _lhv1_batches(source, envelope, state, batch_items)
        return
    state = index_state(name=name)
    if suffix == ".jsonl":
        yield state, json_lines.read(file, state.dimension, state.distance, batch_items)
    elif suffix == ".parquet":
        yield state, parquet.read(file, state.dimension, state.distance, batch_items)
    elif items is not None:
        yield state, npy_rows.read(file, items, state.dimension, state.distance, batch_items)
    else:
        raise InvalidInput.at("", "items_missing", "A .npy file has no ids. Name them with --items FILE.jsonl.")


def _index_for(name: str, file: Path, params: IndexParams) -> IndexState:
    """Return the index with this name, created if need be, that takes what a file with these parameters holds."""
    try:
        state = index_state(name=name)
    except IndexNotFound:
        new = parse_new_index({**asdict(params), "name": name})
        with suppress(IndexExists):  # made by another process since; it is compared like any other
            create_index(new=new)
        state = index_state(name=name)
    if (state.dimension, state.distance) != (params.dimension, params.distance):
        detail = (
            f"{file.name} holds {params.dimension} numbers a vector under {params.distance} distance, "
            f"the index {name!r} takes {state.dimension} under {state.distance}."
        )
        raise InvalidInput.at("", "other_index", detail)
    return state


def _lhv1_batches(file: BinaryIO, envelope: Envelope, state: IndexState, batch_items: int) -> Iterator[Batch]:
    """Yield the items of a verified file. Its graph is not touched: hnswlib must not see bytes from elsewhere."""
    start = 0
    for page in read_pages(file, envelope, batch_items):
        vectors = np.frombuffer(page.vectors, "<f4").reshape(-1, state.dimension)
        names = [f"item {start + i} {key[:80]!r}" for i, key in enumerate(page.keys)]
        yield checked_batch(page.keys, vectors, page.metadata, state.distance, names.__getitem__)
        start += len(page.keys)
