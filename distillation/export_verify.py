"""Every written file read again: its bytes, its rows by the rules of the format, and the firewall once more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import orjson

from distillation.errors import ExportRefused, FirewallBreach
from distillation.export_records import Attempt, StoredPlace, stored_places
from distillation.export_request import SPLITS, ExportRequest, canary_text
from distillation.export_storage import FileInfo, damaged_files, open_file
from distillation.export_writer import Written, data_file
from distillation.firewall import may_stand
from distillation.format_checks import row_faults
from distillation.pipeline_types import Json
from distillation.row_files import FileType, read_rows, row_sha256

_MAX_FAULTS_SHOWN = 5
_SCAN_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading the written files again has shown: rows, the texts of runs in them, canaries planted and found."""

    rows: int
    texts: int
    canaries_found: int = 0


def verify(attempt: Attempt, request: ExportRequest, written: Written, files: Sequence[FileInfo]) -> Verified:
    """Read the files of an export from the storage and compare them with the database.

    Raises
    ------
    ExportRefused
        A file is not what was written, or a trainer would drop a row.
    FirewallBreach
        A row's run may not stand in its role by its present category, a row belongs to no run, or a planted canary
        was found.
    """
    damaged = damaged_files(attempt.export_id, files)
    if damaged:
        raise ExportRefused(f"Read back, these files are not what was written: {', '.join(damaged)}.")
    for file in files:
        refuse_canary_in_file(attempt.export_id, file.name)
    rows = texts = 0
    for split in SPLITS:
        found = _verify_split(attempt, request, written, split)
        if found.rows != written.rows[split]:
            raise ExportRefused(f"The file of {split} has {found.rows} rows, {written.rows[split]} were written.")
        rows, texts = rows + found.rows, texts + found.texts
    if texts != len(written.places):
        raise ExportRefused(f"{texts} texts were found again, {len(written.places)} were written.")
    return Verified(rows=rows, texts=texts)


def refuse_canary_in_file(export_id: str, name: str) -> None:
    """Refuse a file that holds the planted text; columns of Parquet are compressed, so it is searched row by row."""
    canary = canary_text(export_id).encode()
    with open_file(export_id, name) as file:
        if name.endswith(f".{FileType.PARQUET}"):
            is_there = any(canary in orjson.dumps(row) for row in read_rows(file, file_type=FileType.PARQUET))
        else:
            is_there, end = False, b""
            while data := file.read(_SCAN_BYTES):
                is_there = is_there or canary in end + data
                end = (end + data)[-len(canary) :]
    if is_there:
        raise FirewallBreach(f"A planted canary, the text of a blocked run, stands in {name}.")


def _verify_split(attempt: Attempt, request: ExportRequest, written: Written, split: str) -> Verified:
    """Walk through a file and the database's rows side by side."""
    rows = texts = 0
    faults: list[str] = []
    places = groupby(stored_places(attempt, split), key=lambda place: place.row_number)
    for number, row in enumerate(_rows(attempt, request, split)):
        where = f"Row {number} of {split}"
        row_number, known = next(places, (-1, iter(())))
        texts += _verify_row(where, row, number == row_number, list(known), request)
        faults += [
            f"{where}: {fault}" for fault in row_faults(row, request.format, system_column=written.system_column)
        ]
        rows += 1
    if faults:
        shown = " ".join(faults[:_MAX_FAULTS_SHOWN])
        raise ExportRefused(f"A trainer would drop or refuse rows, {len(faults)} faults. {shown}")
    return Verified(rows, texts)


def _verify_row(where: str, row: Json, is_in_place: bool, known: Sequence[StoredPlace], request: ExportRequest) -> int:
    """Compare a row with what the database knows of it; return how many texts of runs it holds."""
    sha256 = row_sha256(row)
    if not is_in_place or not known or any(place.row_sha256 != sha256 for place in known):
        raise FirewallBreach(f"{where} is not the row the database knows there.")
    for place in known:
        if not may_stand(place.category, place.role, include_partial=request.pipeline.include_partial):
            raise FirewallBreach(f"{where}: the run {place.run_id} is {place.category}, not to stand as {place.role}.")
    return len(known)


def _rows(attempt: Attempt, request: ExportRequest, split: str) -> Iterator[Json]:
    name = data_file(split, request.file_type)
    try:
        with open_file(attempt.export_id, name) as file:
            yield from read_rows(file, file_type=request.file_type)
    except ValueError as error:
        raise ExportRefused(f"{name} cannot be read again: {error}") from error
