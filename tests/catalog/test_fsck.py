from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from catalog.callers import SYSTEM
from catalog.fsck import Report, check_warehouse, lines_of
from catalog.fsck_rows import Fault
from catalog.ingest import ingest_file
from catalog.ingest_requests import parse_request
from catalog.models import Commit, IngestRun, Namespace, Relation, Warehouse
from catalog.warehouse_files import list_files
from tests.catalog.lake import append, drop, make_table, make_view, metadata_of, row_of, table_of


@pytest.fixture
def lake(warehouse: Warehouse, tmp_path: Path) -> Warehouse:
    """A table with rows, one that came from a file, a dropped one, and a view."""
    make_table(warehouse)
    append(warehouse, 1)
    append(warehouse, 2)
    file = tmp_path / "a.csv"
    file.write_text("id,name\n1,a\n")
    request = parse_request({"table": "ns.taken"}, file_name=file.name)
    ingest_file(path=file, source_name=file.name, request=request, caller=SYSTEM)
    make_table(warehouse, "gone")
    append(warehouse, 1, name="gone")
    drop(warehouse, "gone")
    make_view(warehouse)
    return warehouse


def faults(warehouse: Warehouse) -> list[tuple[str, str]]:
    return [(one.subject.partition(" ")[0], one.kind) for one in check_warehouse(warehouse=warehouse).faults]


def path_of(location: str) -> Path:
    return Path(location.removeprefix("file://"))


def data_file() -> Path:
    (file,) = {task.file.file_path for task in list(table_of(row_of().namespace.warehouse).scan().plan_files())[:1]}
    return path_of(file)


def test_what_is_well_has_no_fault(lake: Warehouse) -> None:
    report = check_warehouse(warehouse=lake)

    assert report.faults == []
    assert (report.relations, report.files > 12, report.size_bytes > 3000) == (4, True, True)
    assert list(lines_of(report)) == [f"4 tables and views, {report.files} files: no faults."]


BREAKS: dict[str, tuple[Callable[[], object], str]] = {
    "a missing metadata file": (lambda: path_of(row_of().metadata_location).unlink(), "metadata"),
    "another metadata file": (lambda: path_of(row_of().metadata_location).write_bytes(b"{}"), "metadata"),
    "a missing manifest list": (lambda: path_of(metadata_of()["snapshots"][0]["manifest-list"]).unlink(), "files"),
    "a damaged manifest list": (
        lambda: path_of(metadata_of()["snapshots"][0]["manifest-list"]).write_bytes(b"Obj"),
        "files",
    ),
    "a missing data file": (lambda: data_file().unlink(), "files"),
    "a data file that was cut": (lambda: data_file().write_bytes(data_file().read_bytes()[:-9]), "files"),
    "another number of rows": (lambda: Relation.objects.filter(name="t").update(row_count=77), "row"),
    "a gap in the history": (lambda: Commit.objects.filter(relation__name="t", version=1).delete(), "history"),
    "a commit too many": (lambda: Relation.objects.filter(name="t").update(version=1), "history"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_each_break_is_found_and_named(lake: Warehouse, name: str) -> None:
    work, kind = BREAKS[name]
    work()

    found = faults(lake)

    assert ("ns.t", kind) in found
    assert {subject for subject, _ in found} == {"ns.t"}


def test_a_dropped_table_is_looked_at_as_it_can_come_back(lake: Warehouse) -> None:
    path_of(Relation.objects.get(name="gone").metadata_location).unlink()

    (fault,) = check_warehouse(warehouse=lake).faults

    assert "dropped, id" in fault.subject
    assert "metadata_text" in fault.remedy


def test_what_lies_outside_is_found_and_not_opened(lake: Warehouse) -> None:
    row = row_of()
    metadata = orjson.loads(row.metadata_text)
    metadata["snapshots"][0]["manifest-list"] = "file:///etc/passwd"
    text = orjson.dumps(metadata).decode()
    Relation.objects.filter(pk=row.pk).update(metadata_text=text)
    path_of(row.metadata_location).write_text(text)

    assert ("ns.t", "place") in faults(lake)


def test_rows_of_the_catalog_that_contradict_each_other_are_found(lake: Warehouse) -> None:
    Namespace.objects.filter(path="ns").update(deleted_at="2026-01-01T00:00Z")
    assert ("ns.t", "row") in faults(lake)
    Namespace.objects.update(deleted_at=None, levels=["other"])
    assert ("other", "row") in faults(lake)


def test_ingests_and_snapshots_are_compared(lake: Warehouse) -> None:
    run = IngestRun.objects.get()
    run.delete()
    assert faults(lake) == []  # it may still be about to be written

    row = row_of("taken")
    metadata = orjson.loads(row.metadata_text)
    metadata["snapshots"][0]["timestamp-ms"] -= 2 * 3_600_000
    text = orjson.dumps(metadata).decode()
    Relation.objects.filter(pk=row.pk).update(metadata_text=text)
    path_of(row.metadata_location).write_text(text)
    assert faults(lake) == [("ns.taken", "ingest")]

    run.content_key = "another"
    run.save()
    assert faults(lake) == [("ns.taken", "ingest")] * 2


def test_a_commit_that_comes_in_between_is_no_fault(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    left = ["once"]

    def overtaken(*args: Any) -> Any:
        found = list(list_files(*args))
        if left:
            left.pop()
            append(lake, 3)
        return iter(found)

    monkeypatch.setattr("catalog.fsck.list_files", overtaken)

    assert check_warehouse(warehouse=lake).faults == []


def test_a_report_tells_what_to_do() -> None:
    report = Report(1, 2, 3, [Fault("ns.t", "files", "It is gone.", "Bring it back.")])

    assert list(lines_of(report)) == ["ns.t: It is gone.\n  → Bring it back.", "1 tables and views, 2 files: 1 faults."]
