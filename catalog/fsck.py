"""Do files and rows agree? Every table and view is followed from its row to the last data file; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from catalog.errors import BadCatalogRequest, OutsideWarehouse
from catalog.fsck_rows import Fault, faults_of_rows
from catalog.metadata_checks import check_table_metadata, locations_of
from catalog.models import Relation, Warehouse
from catalog.reachability import all_relations, files_of, place_of
from catalog.relation_writes import TABLE
from catalog.summaries import facts_of
from catalog.view_metadata import check_view_metadata
from catalog.warehouse_copies import size_of
from catalog.warehouse_files import check_inside, list_files, read_file
from lakehouse_site.errors import LakehouseError

MAX_FAULTS_PER_TABLE: Final = 100
_MAX_LOOKS = 3
_RESTORE = "Bring the file back from a backup of the storage, or roll back or drop the table."


@dataclass(slots=True)
class Report:
    """What was looked at, and what is wrong."""

    relations: int = 0
    files: int = 0
    size_bytes: int = 0
    faults: list[Fault] = field(default_factory=list)


def check_warehouse(*, warehouse: Warehouse) -> Report:
    """Follow every table and view of a warehouse, dropped ones included, as they can be undropped.

    What somebody changes meanwhile is looked at again, so that it is no fault.

    Raises
    ------
    StorageFailed
        The storage does not answer.
    """
    report = Report()
    sizes = {place_of(warehouse, location): size for location, size, _ in list_files(warehouse, warehouse.root)}
    for relation in all_relations(warehouse):
        report.relations += 1
        found: Relation | None = relation
        look = _Look(warehouse, sizes)
        for _ in range(_MAX_LOOKS):
            if found is None:
                break
            look = _Look(warehouse, sizes)
            look.check(found)
            again = Relation.objects.select_related("namespace__warehouse").filter(pk=relation.pk).first()
            if not look.faults or (again is not None and again.version == found.version):
                break
            found = again
        if found is not None:
            report.faults += look.faults[:MAX_FAULTS_PER_TABLE]
            report.files += look.files
            report.size_bytes += look.size_bytes
    report.faults += faults_of_rows(warehouse)
    return report


class _Look:
    """One look at one table or view."""

    def __init__(self, warehouse: Warehouse, sizes: Mapping[str, int]) -> None:
        self.faults: list[Fault] = []
        self.files = 0
        self.size_bytes = 0
        self._warehouse = warehouse
        self._sizes = sizes
        self._name = ""

    def check(self, relation: Relation) -> None:
        self._name = f"{relation} (dropped, id {relation.pk})" if relation.deleted_at else str(relation)
        self._check_metadata_file(relation)
        try:
            found = orjson.loads(relation.metadata_text)
            metadata = check_table_metadata(found) if relation.kind == TABLE else check_view_metadata(found)
        except (orjson.JSONDecodeError, BadCatalogRequest) as error:
            self._tell("metadata", f"The row's metadata is damaged: {error}", "Restore the database from a backup.")
            return
        self._check_facts(relation, metadata)
        for location in locations_of(metadata):
            self._check_place(location)
        if relation.kind == TABLE:
            self._check_files(metadata)

    def _check_metadata_file(self, relation: Relation) -> None:
        location = relation.metadata_location
        try:
            data = read_file(self._warehouse, location)
        except LakehouseError as error:
            remedy = "Write what the row has as metadata_text to this place again, byte for byte."
            self._tell("metadata", error.detail, remedy)
            return
        self.files += 1
        self.size_bytes += len(data)
        if data != relation.metadata_text.encode() and not self._is_registered(relation, data):
            self._tell(
                "metadata",
                f"{location} does not say what its row says.",
                "Somebody has changed one of the two. The row counts: write its metadata_text to the file.",
            )

    @staticmethod
    def _is_registered(relation: Relation, data: bytes) -> bool:
        """A file that was registered may spell the same JSON in another way."""
        try:
            return bool(orjson.loads(data) == orjson.loads(relation.metadata_text))
        except orjson.JSONDecodeError:
            return False

    def _check_facts(self, relation: Relation, metadata: Mapping[str, Any]) -> None:
        key = "table-uuid" if relation.kind == TABLE else "view-uuid"
        pairs = [
            ("uuid", str(relation.uuid), str(metadata.get(key)).lower()),
            ("location", relation.location, metadata["location"]),
        ]
        if relation.kind == TABLE:
            facts = facts_of(metadata)
            names = ("format_version", "current_snapshot_id", "row_count", "size_bytes", "schema_fingerprint")
            pairs += [(name, getattr(relation, name), getattr(facts, name)) for name in names]
        for name, of_row, of_metadata in pairs:
            if of_row != of_metadata:
                detail = f"The row's {name} is {of_row}, its metadata says {of_metadata}."
                self._tell("row", detail, "Commit anything to the table: rows are written anew with each commit.")

    def _check_place(self, location: str) -> None:
        try:
            check_inside(self._warehouse, location)
        except OutsideWarehouse as error:
            self._tell("place", error.detail, "Nobody should read this table: find out who wrote it, and drop it.")

    def _check_files(self, metadata: Mapping[str, Any]) -> None:
        def tell(error: LakehouseError, where: str) -> None:
            self._tell("files", f"{where}: {error.detail}", _RESTORE)

        checked = set()
        for reached in files_of(self._warehouse, metadata, on_fault=tell):
            if reached.location not in checked:
                checked.add(reached.location)
                self._check_file(reached.location, reached.kind, reached.size_bytes)

    def _check_file(self, location: str, kind: str, recorded: int | None) -> None:
        self.files += 1
        try:
            size = self._sizes.get(place_of(self._warehouse, location))
            if size is None or recorded not in (None, size):
                size = size_of(self._warehouse, location)  # perhaps it is newer than the list
        except LakehouseError as error:
            self._tell("place" if isinstance(error, OutsideWarehouse) else "files", f"{kind}: {error.detail}", _RESTORE)
            return
        self.size_bytes += size
        if recorded not in (None, size):
            detail = f"{kind}: {location} has {size} bytes where {recorded} are recorded."
            self._tell("files", detail, _RESTORE)

    def _tell(self, kind: str, detail: str, remedy: str) -> None:
        self.faults.append(Fault(self._name, kind, detail, remedy))


def lines_of(report: Report) -> Iterator[str]:
    """Yield what a person reads of a report."""
    for fault in report.faults:
        yield f"{fault.subject}: {fault.detail}\n  → {fault.remedy}"
    yield f"{report.relations} tables and views, {report.files} files: {len(report.faults) or 'no'} faults."
