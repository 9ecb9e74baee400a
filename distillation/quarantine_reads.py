"""Lines that were not taken: pages of them, and one."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from distillation.errors import QuarantinedLineNotFound
from distillation.models import QuarantinedLine
from distillation.validation import Code
from lakehouse_site.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class LinePage:
    """Quarantined lines, oldest first; `next` is where the page after this begins, None on the last."""

    lines: list[QuarantinedLine]
    next: str | None


def list_quarantine(
    *, status: str | None = QuarantinedLine.Status.OPEN, code: str | None = None, run_id: str | None = None
) -> QuerySet[QuarantinedLine]:
    """Return quarantined lines, oldest first, with their files; None for any status.

    Raises
    ------
    InvalidInput
        There is no such status or code.
    """
    rows = QuarantinedLine.objects.select_related("file").defer("content").order_by("pk")
    for name, value, known in (
        ("status", status, QuarantinedLine.Status.values),
        ("code", code, [each.value for each in Code]),
    ):
        if value is None:
            continue
        if value not in known:
            raise InvalidInput.at(f"/{name}", "choice", f"Expected one of {', '.join(known)}.")
        rows = rows.filter(**{name: value})
    return rows if run_id is None else rows.filter(run_id=run_id)


def page_of(found: QuerySet[QuarantinedLine], *, after: str | None, limit: int) -> LinePage:
    """Return a page of quarantined lines; `after` is the `next` of the page before."""
    if after is not None:
        if not (after.isascii() and after.isdigit() and len(after) < 19):
            raise InvalidInput.at("?cursor", "invalid", "Expected the value of next from the page before.")
        found = found.filter(pk__gt=int(after))
    rows = list(found[: limit + 1])
    return LinePage(rows[:limit], str(rows[limit - 1].pk) if len(rows) > limit else None)


def get_quarantined(*, line_id: int) -> QuarantinedLine:
    """Return one quarantined line with its file; `QuarantinedLineNotFound` if there is none."""
    row = QuarantinedLine.objects.select_related("file").filter(pk=line_id).first()
    if row is None:
        raise QuarantinedLineNotFound(line_id)
    return row
