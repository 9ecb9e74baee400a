"""An index as one file: a backup (LHV1), or what other programs read (JSON lines, Parquet)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from django.utils import timezone

from lakehouse_site.errors import InvalidInput
from vectors import contents, json_lines, lhv1, parquet
from vectors.indexes import index_state
from vectors.lhv1 import Description, IndexParams, Page
from vectors.local_files import new_file
from vectors.rows import IndexState

SUFFIXES = (".jsonl", ".parquet", ".lhv1")


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export wrote: every item as of the sequence number `seq`."""

    index: str
    file: str
    items: int
    seq: int
    bytes: int


def export_index(
    *, name: str, file: Path, force: bool = False, progress: Callable[[int], None] = lambda count: None
) -> ExportResult:
    """Write all items of an index, as of one moment, to a file that `import_items` reads.

    Parameters
    ----------
    name
        An index.
    file
        By its suffix: ``.lhv1`` (version 3, without a graph), ``.jsonl`` or ``.parquet``. It is there whole or not at
        all.
    force
        Replace a file that is there.
    progress
        Called with the number of items of each page that was read.

    Raises
    ------
    IndexNotFound
        No index has this name.
    InvalidInput
        The file is of no known kind, exists, or cannot be written.

    Notes
    -----
    Others may go on writing; what they write meanwhile is not in the file. Memory: a few thousand items.
    """
    if file.suffix.lower() not in SUFFIXES:
        detail = f"{file.name} is of no known kind: its name has to end with one of {', '.join(SUFFIXES)}."
        raise InvalidInput.at("", "unknown_kind", detail)
    known = index_state(name=name)
    with new_file(file, force=force) as target, contents.one_moment(known) as state:
        items = _write(target, file, state, _reported(contents.pages(state), progress))
        target.flush()
        size = os.fstat(target.fileno()).st_size
    return ExportResult(name, str(file), items, state.last_seq, size)


def _write(target: BinaryIO, file: Path, state: IndexState, pages: Iterator[Page]) -> int:
    suffix = file.suffix.lower()
    if suffix == ".jsonl":
        return json_lines.write(target, pages, state.dimension)
    if suffix == ".parquet":
        return parquet.write(target, pages, state.dimension)
    params = IndexParams(state.name, state.dimension, state.distance, state.m, state.ef_construction, state.ef_search)
    description = Description(state.id, params, state.last_seq, timezone.now().isoformat())
    # Beside the target: there has to be room for the whole file, the folder for temporary files may be small.
    make_scratch = partial(tempfile.TemporaryFile, dir=file.parent)
    return lhv1.write(target, description, pages, graph=None, make_scratch=cast(Callable[[], BinaryIO], make_scratch))


def _reported(pages: Iterator[Page], progress: Callable[[int], None]) -> Iterator[Page]:
    for page in pages:
        yield page
        progress(len(page.keys))
