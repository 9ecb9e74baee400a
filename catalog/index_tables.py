"""The items of an index as a table of its own, `lakehouse.index_NAME`: all of them, as of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.own_table_types import MARK, UPTO, Column, Held, OwnTable, Rows, Written
from catalog.scratch import scratch_folder
from vectors.exports import export_index
from vectors.indexes import index_state

if TYPE_CHECKING:
    import pyarrow as pa

INDEX = MARK + "index"
_LIST_OF_FLOATS = {"type": "list", "element": "float", "element-required": False}
_COLUMNS = (
    Column("id", "string", "The item's id."),
    Column("vector", _LIST_OF_FLOATS, "The vector as it was sent, 32-bit floats."),
    Column("metadata", "string", "JSON, to the letter as it was sent; null if there was none."),
)


def table_of_index(name: str) -> OwnTable:
    """Return the table of an index."""
    return OwnTable(f"index_{name}", f"The items of the index {name}.", _COLUMNS)


def write_index(*, name: str, is_dry_run: bool = False) -> Written:
    """Put all items of an index into its table, unless it has them: the sequence number tells.

    Raises
    ------
    IndexNotFound
        No index has this name.
    CommitFailed, CommitStateUnknown, BadCatalogRequest, AlreadyExists
        As of `catalog.own_tables.replace_rows`.
    """
    # pyiceberg takes a second to import, and most processes never need it.
    from catalog.own_tables import replace_rows

    index_state(name=name)  # there is no table of an index that is not there
    with scratch_folder() as folder:

        def source(held: Held) -> Rows | None:
            state = index_state(name=name)
            known = (held.marks.get(INDEX), held.marks.get(UPTO))
            if known == (str(state.id), str(state.last_seq)):
                return None
            # An index dropped and made anew in between may make the id wrong, and then the number with it: it is
            # written once more than it had to be.
            marks = {INDEX: str(state.id)}
            return Rows(_batches(name, folder / "items.parquet", marks), marks)

        return replace_rows(table=table_of_index(name), source=source, is_dry_run=is_dry_run)


def _batches(name: str, file: Path, marks: dict[str, str]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    marks[UPTO] = str(export_index(name=name, file=file, force=True).seq)
    with pq.ParquetFile(file) as parquet:
        for group in range(parquet.num_row_groups):
            yield from parquet.read_row_group(group, columns=[column.name for column in _COLUMNS]).to_batches()
