"""Scored runs that come in a request."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from distillation.ingestion import Content, ingest_content
from distillation.models import QuarantinedLine
from distillation.validation import DEFAULT_MAX_LINE_BYTES

FOLDER = "http"
MAX_FAULTS_TOLD = 1_000


@dataclass(frozen=True, slots=True)
class PostedFault:
    """Why a run was not taken. `line` is its place in the body, from 1; `id` is that of its row in quarantine."""

    line: int
    code: str
    message: str
    run_id: str
    id: int


@dataclass(frozen=True, slots=True)
class PostedResult:
    """What became of the lines of a body; of a body that came before, what became of them then."""

    file: str
    is_repeated: bool
    lines: int
    blank: int
    incomplete_tail: int
    duplicate_identical: int
    quarantined: int
    ingested: int
    faults: Sequence[PostedFault]


def ingest_body(*, sent: bytes, lines: bytes, max_line_bytes: int = DEFAULT_MAX_LINE_BYTES) -> PostedResult:
    """Take the runs of a request. The same body sent again is known by its SHA-256, and changes nothing.

    Parameters
    ----------
    sent
        The body as it came.
    lines
        Its runs, one a line; see `run_bodies`.
    """
    sha256 = hashlib.sha256(sent).hexdigest()
    checked = hashlib.sha256(lines).hexdigest()
    what = Content(f"{FOLDER}/{sha256}", "", checked, len(lines), lambda: nullcontext(io.BytesIO(lines)))
    result = ingest_content(what, max_line_bytes, lambda stored: None, lambda count: None)
    rows = QuarantinedLine.objects.filter(file__path=result.path, file__sha256=result.sha256).order_by("line")
    faults = [
        PostedFault(row.line, row.code, row.message, row.run_id, row.pk)
        for row in rows.defer("raw", "content")[:MAX_FAULTS_TOLD]
    ]
    return PostedResult(
        file=result.path,
        is_repeated=result.is_skipped,
        lines=result.lines,
        blank=result.blank,
        incomplete_tail=result.incomplete_tail,
        duplicate_identical=result.duplicate_identical,
        quarantined=result.quarantined,
        ingested=result.ingested,
        faults=faults,
    )
