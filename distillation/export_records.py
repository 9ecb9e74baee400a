"""Rows of the database about an export: taken up, filled in bounded transactions, and complete in the last one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from distillation.disputes import hold_ingest_lock, recall_if_disputed
from distillation.errors import ExportBusy, FirewallBreach
from distillation.export_request import Origin
from distillation.firewall import may_stand
from distillation.models import Export, ExportRow, StageDecision
from distillation.pipeline_types import Decision
from vectors.transactions import run_write

ROWS_OF_A_TRANSACTION = 2_000


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """One text of a run as it stands in a file: `row_number` counts in its split, from 0."""

    run_id: str
    role: str
    split: str
    row_number: int
    row_sha256: str


@dataclass(frozen=True, slots=True)
class StoredPlace:
    """A row of the database with what its run is now."""

    row_number: int
    row_sha256: str
    role: str
    run_id: str
    category: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at writing an export; when another process takes the export up, no transaction of this one succeeds."""

    key: int
    export_id: str
    started_at: datetime

    def hold(self) -> None:
        """Lock the export inside a transaction.

        Raises
        ------
        ExportBusy
            Another process has taken it up since, or it is complete.
        """
        mine = Export.objects.select_for_update().filter(
            pk=self.key, started_at=self.started_at, status=Export.Status.WRITING
        )
        if not list(mine.values_list("pk")):
            raise ExportBusy(f"Another process has taken up the export {self.export_id} and goes on with it.")


def find_export(export_id: str) -> Export | None:
    """Return the export with this id, whatever its state."""
    return Export.objects.filter(export_id=export_id).first()


def scorers_in(export: Export) -> set[tuple[str, str]]:
    """Return name and version of every scorer whose runs stand in an export."""
    scorers = ExportRow.objects.filter(export=export).values_list("run__scorer_name", "run__scorer_version")
    return set(scorers.distinct())


def begin(*, export_id: str, kind: str, config: Mapping[str, Any]) -> Attempt:
    """Take up an export: a new one, or what a broken attempt has left, whose rows go first."""
    now = timezone.now()

    def take() -> Attempt:
        facts = {"kind": kind, "config": config, "started_at": now}
        fresh = {"status": Export.Status.WRITING, "manifest": None, "audit": None, "baseline": None, "rows": 0}
        blank: dict[str, Any] = {"error": "", "finished_at": None, "key_figures": {}}
        export, _ = Export.objects.update_or_create(export_id=export_id, defaults={**facts, **fresh, **blank})
        return Attempt(export.pk, export_id, export.started_at)

    attempt = run_write(take)
    for model in (ExportRow, StageDecision):
        while run_write(lambda model=model: _delete_some(attempt, model)):  # type: ignore[misc]
            pass
    return attempt


def _delete_some(attempt: Attempt, model: type[ExportRow] | type[StageDecision]) -> int:
    attempt.hold()
    keys = list(model._default_manager.filter(export_id=attempt.key).values_list("pk", flat=True)[:10_000])
    return model._default_manager.filter(pk__in=keys).delete()[0] if keys else 0


def record_rows(
    attempt: Attempt, rows: Sequence[WrittenRow], origins: Mapping[str, Origin], *, include_partial: bool
) -> None:
    """Store which run stands where.

    Raises
    ------
    FirewallBreach
        The database refused a row: its category may not stand in its role.
    """
    for first in range(0, len(rows), ROWS_OF_A_TRANSACTION):
        chunk = rows[first : first + ROWS_OF_A_TRANSACTION]
        records = [
            ExportRow(
                export_id=attempt.key,
                run_id=origins[row.run_id].run_key,
                category=origins[row.run_id].category,
                role=row.role,
                include_partial=include_partial,
                split=row.split,
                row_number=row.row_number,
                row_sha256=row.row_sha256,
            )
            for row in chunk
        ]

        def write(records: Sequence[ExportRow] = records) -> None:
            attempt.hold()
            ExportRow.objects.bulk_create(records)

        try:
            run_write(write)
        except IntegrityError as error:
            if "distillation_export_row_firewall" not in str(error):
                raise
            raise FirewallBreach("The database refused a row: its category may not stand in its role.") from error


def record_decisions(attempt: Attempt, decisions: Sequence[Decision], origins: Mapping[str, Origin]) -> None:
    """Store what became of every run."""
    for first in range(0, len(decisions), ROWS_OF_A_TRANSACTION):
        records = [
            StageDecision(
                export_id=attempt.key,
                run_id=origins[decision.run_id].run_key,
                outcome=decision.outcome.value,
                split=decision.split,
                group=decision.group,
                evidence=dict(decision.evidence),
            )
            for decision in decisions[first : first + ROWS_OF_A_TRANSACTION]
        ]

        def write(records: Sequence[StageDecision] = records) -> None:
            attempt.hold()
            StageDecision.objects.bulk_create(records)

        run_write(write)


def baseline_of(kind: str, *, before: Attempt) -> Export | None:
    """Return the last complete export of a kind but this one."""
    complete = Export.objects.filter(kind=kind, status=Export.Status.COMPLETE).exclude(pk=before.key)
    return complete.order_by("-finished_at", "-pk").first()


def complete(attempt: Attempt, *, rows: int, facts: Mapping[str, Any]) -> Export:
    """Make an export visible as done, if every text in it may still stand where it does.

    A run that was disputed since it was read gets a recall notice in the same transaction.

    Raises
    ------
    FirewallBreach
        A run has changed its category since it was read.
    """

    def write() -> Export:
        hold_ingest_lock()  # the first statement: nobody adds or decides on runs until the export is complete
        attempt.hold()
        refuse_forbidden(attempt)
        export = Export.objects.get(pk=attempt.key)
        for name, value in {**facts, "rows": rows, "status": Export.Status.COMPLETE}.items():
            setattr(export, name, value)
        export.finished_at = timezone.now()
        export.save()
        recall_if_disputed(export)
        return export

    return run_write(write)


def refuse_forbidden(attempt: Attempt) -> None:
    """Compare every row of an export with the present category of its run."""
    rows = ExportRow.objects.filter(export_id=attempt.key)
    for category, role, partial in rows.values_list("run__category", "role", "include_partial").distinct():
        if not may_stand(category, role, include_partial=partial):
            wrong = rows.filter(run__category=category, role=role, include_partial=partial)
            run_id = wrong.values_list("run__run_id", flat=True).first()
            raise FirewallBreach(f"The run {run_id} is {category} and may not stand as {role}. Export again.")


def fail(attempt: Attempt, *, error: str) -> None:
    """Note that an export did not pass its checks; asking for it again tries anew."""

    def write() -> None:
        attempt.hold()
        Export.objects.filter(pk=attempt.key).update(
            status=Export.Status.FAILED, error=error, finished_at=timezone.now()
        )

    run_write(write)


def stored_places(attempt: Attempt, split: str) -> Iterator[StoredPlace]:
    """Yield the rows of a split as the database knows them, in order, with the present category of each run."""
    rows = ExportRow.objects.filter(export_id=attempt.key, split=split).order_by("row_number", "role")
    columns = ("row_number", "row_sha256", "role", "run__run_id", "run__category")
    for values in rows.values_list(*columns).iterator(ROWS_OF_A_TRANSACTION):
        yield StoredPlace(*values)
