"""The files of an export in a folder: rows by split, and beside them where each row and each decision comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distillation.dataset_card import dataset_info, readme
from distillation.errors import FirewallBreach
from distillation.export_records import WrittenRow
from distillation.export_request import SPLITS, ExportRequest, Origin
from distillation.firewall import may_stand
from distillation.formats import TrainingRow, needs_system_column, preference_row_of, row_of
from distillation.pipeline_types import Decision, Json, PipelineResult, Row
from distillation.row_files import json_line, row_sha256, schema_of, write_rows

DECISIONS, PROVENANCE = "decisions.jsonl", "provenance.jsonl"
CARD, INFO, MANIFEST = "README.md", "dataset_info.json", "manifest.json"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: every text's place, the rows of each split, and whether rows have a column `system`."""

    places: Sequence[WrittenRow]
    rows: Mapping[str, int]
    system_column: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row of a file with the texts of runs in it."""

    split: str
    texts: tuple[Row, ...]
    row: TrainingRow


def data_file(split: str, file_type: str) -> str:
    """Return the name of the file of a split."""
    return f"{split}.{file_type}"


def write_files(
    folder: Path,
    *,
    export_id: str,
    request: ExportRequest,
    result: PipelineResult,
    origins: Mapping[str, Origin],
) -> Written:
    """Write all files but the manifest to an empty folder.

    Raises
    ------
    FirewallBreach
        The pipeline gave a text that may not stand in its role, by what it says or by what was read.
    """
    check_roles(result, origins, include_partial=request.pipeline.include_partial)
    samples = [row.sample for row in texts_of(result)]
    system_column = needs_system_column(samples)
    entries = list(_entries(result, request.format, system_column))
    schema = schema_of(request.format, system_column=system_column)
    places: list[WrittenRow] = []
    counts: dict[str, int] = {}
    for split in SPLITS:
        own = [entry for entry in entries if entry.split == split]
        path = folder / data_file(split, request.file_type)
        counts[split] = write_rows(path, (entry.row for entry in own), file_type=request.file_type, schema=schema)
        places += _places(own)
    _write_lines(folder / DECISIONS, (decision_row(decision, origins) for decision in result.decisions))
    _write_lines(folder / PROVENANCE, (_provenance_row(place, origins[place.run_id]) for place in places))
    sizes = {split: (folder / data_file(split, request.file_type)).stat().st_size for split in SPLITS}
    (folder / INFO).write_bytes(dataset_info(schema, counts, sizes))
    (folder / CARD).write_text(readme(export_id, request, counts), encoding="utf-8")
    return Written(places, counts, system_column)


def texts_of(result: PipelineResult) -> list[Row]:
    """Return every text that is exported: the rows, or both sides of all pairs."""
    return [*result.rows, *(row for pair in result.pairs for row in (pair.chosen, pair.rejected))]


def check_roles(result: PipelineResult, origins: Mapping[str, Origin], *, include_partial: bool) -> None:
    """Refuse a text whose run may not stand in its role; the category is the one that was read, not the row's word."""
    for row in texts_of(result):
        origin = origins.get(row.run_id)
        if origin is None:
            raise FirewallBreach(f"The run {row.run_id} was not among those that were read.")
        for category in (origin.category, row.category):
            if origin.is_disputed or not may_stand(category, row.role, include_partial=include_partial):
                state = "disputed" if origin.is_disputed else category
                raise FirewallBreach(f"The run {row.run_id} is {state} and may not stand as {row.role}.")


def _entries(result: PipelineResult, format_name: str, system_column: bool) -> Iterator[_Entry]:
    for row in result.rows:
        yield _Entry(row.split, (row,), row_of(row, format_name, system_column=system_column))
    for pair in result.pairs:
        yield _Entry(pair.chosen.split, (pair.chosen, pair.rejected), preference_row_of(pair))


def _places(entries: Sequence[_Entry]) -> Iterator[WrittenRow]:
    for number, entry in enumerate(entries):
        sha256 = row_sha256(entry.row)
        for text in entry.texts:
            yield WrittenRow(text.run_id, text.role, entry.split, number, sha256)


def _write_lines(path: Path, rows: Iterator[dict[str, Json]]) -> None:
    with path.open("wb") as file:
        for row in rows:
            file.write(json_line(row))


def decision_row(decision: Decision, origins: Mapping[str, Origin]) -> dict[str, Json]:
    """Return a decision as a row of decisions.jsonl: its evidence beside the rest."""
    at, by = origins[decision.run_id], decision
    return decision_fields(by.run_id, at.file, at.line, by.outcome.value, by.split, by.group, by.evidence)


def decision_fields(
    run_id: str, file: str, line: int, outcome: str, split: str, group: str, evidence: Mapping[str, Json]
) -> dict[str, Json]:
    """Return what is said of a run in files and answers; `split` and `group` are null for what is not exported."""
    facts: dict[str, Json] = {"run_id": run_id, "file": file, "line": line, "outcome": outcome}
    return {**facts, "split": split or None, "group": group or None, **evidence}


def _provenance_row(place: WrittenRow, origin: Origin) -> dict[str, Json]:
    return {
        "split": place.split,
        "row": place.row_number,
        "row_sha256": place.row_sha256,
        "run_id": origin.run_id,
        "role": place.role,
        "category": origin.category,
        "file": origin.file,
        "line": origin.line,
        "content_sha256": origin.content_sha256,
        "scorer_name": origin.scorer_name,
        "scorer_version": origin.scorer_version,
        "model": origin.model,
    }
