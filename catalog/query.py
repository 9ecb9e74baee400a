"""Read-only SQL over the tables, each query in a short-lived process of its own; this process never runs any.

The worker parses and checks the statement and names its tables. Here they are looked up, on behalf of the caller, and
the worker is told their files: so code of ours, in a process without secrets, opens what was confined to the warehouse,
and DuckDB, which the statement speaks to, opens nothing at all.
"""

from __future__ import annotations

import logging
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings

from catalog.callers import Caller
from catalog.errors import QueryTimedOut
from catalog.models import QueryRun, Relation
from catalog.query_tables import rows_of, table_of
from catalog.scratch import scratch_folder
from catalog.sql_tree import SqlRefused, TableName, check_text
from catalog.warehouses import default_warehouse
from catalog.worker_process import WorkerProcess
from lakehouse_site.errors import InvalidInput, LakehouseError, TooLarge, Unavailable
from vectors.objects import scratch_dir
from vectors.transactions import run_write

logger = logging.getLogger(__name__)

DEFAULT_LIMIT: Final = 1_000
MAX_LIMIT: Final = 100_000
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
WAIT_SECONDS: Final = 5.0
_SPOOLED_BYTES: Final = 1024 * 1024
_MAX_DETAIL: Final = 4_000
_KILLED_BY_CPU = -signal.SIGXCPU

Resolve = Callable[[TableName], Relation]


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """What a query gave.

    Attributes
    ----------
    content
        The rows in the format that was asked for, from its beginning; JSON without the brace at its end.
    size_bytes
        Of the content.
    is_cut
        There are more rows than the limit.
    """

    query_id: uuid.UUID
    content: IO[bytes]
    size_bytes: int
    rows: int
    is_cut: bool
    seconds: float
    tables: Sequence[str]


def run_query(*, sql: str, limit: int, answer_format: str, caller: Caller) -> QueryAnswer:
    """Run one SELECT and note that it was run.

    Raises
    ------
    InvalidInput
        The statement is refused, or DuckDB says what is wrong with it.
    NotGranted
        The caller may not read one of its tables.
    QueryTimedOut, TooLarge
        It ran into its time limit; the answer or the memory it needs is over the limit.
    Unavailable
        As many queries as may be are running.
    """
    resolve = partial(table_of, warehouse=default_warehouse(), caller=caller)
    started = time.monotonic()
    tables: list[str] = []
    query_id = uuid.uuid4()
    row = QueryRun(
        id=query_id, sql=_storable(sql), principal=caller.principal, request_id=caller.request_id, tables=tables
    )
    try:
        answer = _run(sql, limit, answer_format, caller, resolve, tables, query_id)
        row.status, row.rows = "done", answer.rows
    except LakehouseError as error:
        row.status, row.detail = _status_of(error), _storable(error.detail)[:_MAX_DETAIL]
        raise
    finally:
        row.seconds = round(time.monotonic() - started, 3)
        if row.status:
            run_write(row.save)
    return answer


def preview(*, relation: Relation, limit: int, caller: Caller) -> QueryAnswer:
    """Return some rows of a table as JSON; else as `run_query`."""
    return _run("SELECT * FROM preview.rows", limit, "json", caller, lambda _: relation, [], uuid.uuid4())


def _storable(text: str) -> str:
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()[:100_000]


def _status_of(error: LakehouseError) -> str:
    if isinstance(error, QueryTimedOut):
        return "timeout"
    if isinstance(error, TooLarge):
        return "too_large"
    is_failure = isinstance(error, InvalidInput) and any(fault.code == "failed" for fault in error.faults)
    return "failed" if is_failure else "refused"


def _run(
    sql: str, limit: int, answer_format: str, caller: Caller, resolve: Resolve, tables: list[str], query_id: uuid.UUID
) -> QueryAnswer:
    try:
        check_text(sql)
    except SqlRefused as error:
        raise _refusal(error.reason, error.position) from None
    started = time.monotonic()
    content = tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES, dir=str(scratch_dir()))  # noqa: SIM115
    try:
        with (
            _turn(),
            scratch_folder() as folder,
            WorkerProcess("catalog.query_worker", wall_seconds=settings.LAKEHOUSE_QUERY_TIMEOUT) as worker,
        ):
            worker.send(
                {
                    "sql": sql,
                    "limit": limit,
                    "format": answer_format,
                    "memory_mb": settings.LAKEHOUSE_QUERY_MEMORY_MB,
                    "seconds": settings.LAKEHOUSE_QUERY_TIMEOUT,
                    "max_bytes": MAX_ANSWER_BYTES,
                }
            )
            done = _converse(worker, content, resolve, tables, caller, folder)
    except BaseException:
        content.close()
        raise
    size = content.tell()
    content.seek(0)
    seconds = round(time.monotonic() - started, 3)
    return QueryAnswer(query_id, content, size, int(done["rows"]), bool(done["is_cut"]), seconds, tuple(tables))


def _converse(
    worker: WorkerProcess, content: IO[bytes], resolve: Resolve, tables: list[str], caller: Caller, folder: Path
) -> dict[str, Any]:
    """Answer what the worker asks and keep what it gives, until it is done."""
    while (frame := worker.receive()) is not None:
        if frame.message is None:
            content.write(frame.data)
            if content.tell() > MAX_ANSWER_BYTES:
                raise TooLarge(f"The answer has more than {MAX_ANSWER_BYTES} bytes.")
            continue
        message = frame.message
        if message["kind"] == "done":
            return message
        if message["kind"] != "tables":
            raise _failure(message)
        for parts in message["tables"]:
            relation = resolve(TableName(*parts))
            tables.append(str(relation))
            rows = rows_of(relation, caller=caller, folder=folder)
            worker.send(rows.facts)
            worker.send_data(rows.scan)
    raise _ending(worker)


def _failure(message: dict[str, Any]) -> LakehouseError:
    kind, detail = str(message.get("kind")), str(message.get("detail"))[:_MAX_DETAIL]
    if kind == "memory":
        return TooLarge(f"{detail} It may have {settings.LAKEHOUSE_QUERY_MEMORY_MB} MiB.")
    if kind == "too_large":
        return TooLarge(f"{detail} Ask for fewer rows or columns.")
    if kind == "refused":
        return _refusal(detail, message.get("position"))
    return InvalidInput.at("/sql", "failed", detail)


def _refusal(reason: str, position: int | None) -> InvalidInput:
    place = f" (at character {position + 1})" if position is not None else ""
    return InvalidInput.at("/sql", "refused", f"{reason}{place}")


def _ending(worker: WorkerProcess) -> LakehouseError:
    status = worker.how_it_ended()
    if worker.is_timed_out or status == _KILLED_BY_CPU:
        seconds = settings.LAKEHOUSE_QUERY_TIMEOUT
        return QueryTimedOut(f"The query took longer than {seconds} seconds and was ended. Ask for less.")
    logger.warning("query worker ended", extra={"status": status})
    if status in (-signal.SIGABRT, -signal.SIGKILL, -signal.SIGBUS):  # how a process ends that gets no more memory
        return TooLarge(f"The query needs more than {settings.LAKEHOUSE_QUERY_MEMORY_MB} MiB of memory.")
    return InvalidInput.at("/sql", "failed", f"The query ended its process ({status}).")


@lru_cache(maxsize=1)
def _slots(count: int) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(count)


@contextmanager
def _turn() -> Iterator[None]:
    slots = _slots(settings.LAKEHOUSE_QUERY_WORKERS)
    if not slots.acquire(timeout=WAIT_SECONDS):
        raise Unavailable("As many queries as may be are running. Try again.", retry_after_seconds=2)
    try:
        yield
    finally:
        slots.release()
