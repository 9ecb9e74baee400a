"""A file becomes rows of a table, once: parsed in a process of its own, moved into the warehouse, and committed.

Killed at any point, either nothing has happened (files that no snapshot names are orphans) or all of it, and then the
snapshot says which file it was: the second call finds it there, with or without the row of the first.
"""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from django.conf import settings

from catalog import grants
from catalog.callers import Caller
from catalog.errors import AlreadyExists, NoSuchTable
from catalog.ingest_plan import Plan, check_columns, plan_append
from catalog.ingest_record import Done, content_key, done_before, record
from catalog.ingest_requests import IngestRequest
from catalog.ingest_source import Source
from catalog.models import Relation, Warehouse
from catalog.names import dotted
from catalog.relations import look_up
from catalog.scratch import scratch_folder
from catalog.table_parts import current_schema
from catalog.warehouse_files import save_file
from catalog.warehouses import default_warehouse
from catalog.worker_process import WorkerProcess
from lakehouse_site.errors import Conflict, DamagedFile, InvalidInput, StorageFailed, TooLarge
from vectors.objects import file_hash, open_object

if TYPE_CHECKING:
    from catalog.ingest_targets import NewTable, StandingTable

logger = logging.getLogger(__name__)

MAX_SECONDS: Final = 3_600


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of a file; of a dry run, what would.

    Attributes
    ----------
    rows
        None of a dry run: the rows are not counted.
    schema
        The fields of the table afterwards, as Iceberg writes them.
    columns
        What the file's columns were taken for.
    """

    table: str
    mode: str
    snapshot_id: int | None
    rows: int | None
    fingerprint: str
    deduplicated: bool
    schema: Sequence[Mapping[str, Any]]
    columns: Sequence[Mapping[str, str]]
    file_sha256: str
    seconds: float


def ingest_object(*, key: str, request: IngestRequest, caller: Caller) -> IngestResult:
    """Take an object of the default storage; else as `ingest_file`."""
    # Before the copy, which may be large.
    grants.require(caller=caller, warehouse=default_warehouse(), levels=request.place.levels, privilege=grants.WRITE)
    with scratch_folder() as folder:
        path = folder / "source"
        try:
            with open_object(key) as source, path.open("xb") as copy:
                shutil.copyfileobj(source, copy, 1024 * 1024)
        except (DamagedFile, StorageFailed) as error:
            is_folder = isinstance(error.__cause__, (IsADirectoryError, NotADirectoryError))
            if isinstance(error, StorageFailed) and not is_folder:
                raise
            raise InvalidInput.at("/object", "not_found", f"There is no object {key} in the storage.") from error
        return ingest_file(path=path, source_name=key, request=request, caller=caller)


def ingest_file(*, path: Path, source_name: str, request: IngestRequest, caller: Caller) -> IngestResult:
    """Take a file into a table.

    Raises
    ------
    InvalidInput
        The file or the request is wrong; a line or a column is named. The table is as it was.
    NotGranted, NoSuchTable, AlreadyExists, CommitFailed
        Nothing was changed.
    TooLarge
        The file needs more memory or time than there is for it.
    """
    started = time.monotonic()
    warehouse = default_warehouse()
    grants.require(caller=caller, warehouse=warehouse, levels=request.place.levels, privilege=grants.WRITE)
    size, sha256 = file_hash(path)
    if not size:
        raise InvalidInput.at("/file", "empty", "The file is empty.")
    outcome, key = _outcome(warehouse, path, request, caller, sha256)
    seconds = round(time.monotonic() - started, 3)
    columns = [{"name": column["name"], "found": column["found"]} for column in outcome.columns]
    done = outcome.done
    if done is None:
        name = dotted(request.place.levels, request.place.name)
        return IngestResult(name, request.mode, None, None, "", False, outcome.fields, columns, sha256, seconds)
    if not request.is_dry_run:
        record(
            done, key=key, request=request, source=source_name, sha256=sha256, size=size, caller=caller, seconds=seconds
        )
    logger.info("file ingested", extra={"rows": done.rows, "deduplicated": not outcome.is_new, "seconds": seconds})
    fields = current_fields(orjson.loads(done.relation.metadata_text))
    return IngestResult(
        str(done.relation), request.mode, done.snapshot_id, done.rows, done.relation.schema_fingerprint,
        not outcome.is_new, fields, columns, sha256, seconds,
    )  # fmt: skip


def _outcome(
    warehouse: Warehouse, path: Path, request: IngestRequest, caller: Caller, sha256: str
) -> tuple[_Outcome, str]:
    """Take the file unless it is there already; return what is done, and the key of the content."""
    standing = _standing(warehouse, request)
    key = content_key(warehouse, request, standing, sha256)
    done = done_before(standing, key, request.mode)
    if done is not None:
        return _Outcome((), done=done), key
    if request.mode == "create" and standing is not None:
        raise AlreadyExists(f"Table already exists: {standing}. Use the mode append or overwrite.")
    try:
        with scratch_folder() as folder:
            return _Attempt(warehouse, request, caller, standing, key, path, folder).run(), key
    except AlreadyExists:  # made a moment ago, by somebody else: perhaps of this very file
        done = done_before(_standing(warehouse, request), key, request.mode)
        if done is None:
            raise
        return _Outcome((), done=done), key


def current_fields(metadata: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the fields of a table's current schema."""
    fields: Sequence[Mapping[str, Any]] = current_schema(metadata)["fields"]
    return fields


def _standing(warehouse: Warehouse, request: IngestRequest) -> Relation | None:
    place = request.place
    found = look_up(warehouse, place.levels, place.name)
    if found is not None and found.kind != Relation.Kind.TABLE:
        raise AlreadyExists(f"View already exists: {found}")
    if found is None and request.mode != "create":
        raise NoSuchTable(f"Table does not exist: {dotted(place.levels, place.name)}. Use the mode create.")
    return found


@dataclass(frozen=True, slots=True)
class _Outcome:
    columns: Sequence[Mapping[str, Any]]
    fields: Sequence[Mapping[str, Any]] = ()
    done: Done | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class _Attempt:
    warehouse: Warehouse
    request: IngestRequest
    caller: Caller
    standing: Relation | None
    key: str
    path: Path
    folder: Path

    def run(self) -> _Outcome:
        facts = self.path.stat()
        with WorkerProcess("catalog.ingest_worker", wall_seconds=MAX_SECONDS) as worker:
            worker.send(self._job())
            target = self._target()  # while the worker starts
            columns, plan = self._look(worker, target, is_full=False)
            if self.request.is_dry_run:
                return _Outcome(columns, target.preview(columns, plan))
            answer = self._write(worker, target, columns, plan, is_full=False)
            if answer["kind"] == "mistyped" and self.request.file_format != "parquet":
                # The guess was from the first rows: make one from all of them, which takes a second reading.
                columns, plan = self._look(worker, target, is_full=True)
                answer = self._write(worker, target, columns, plan, is_full=True)
            files = [Path(name) for name in _checked(answer)["files"]]
        if (facts.st_mtime_ns, facts.st_size) != (self.path.stat().st_mtime_ns, self.path.stat().st_size):
            raise Conflict(f"{self.path.name} was changed while it was read. Nothing was taken; try again.")
        done, is_new = target.commit(self._moved(files, target.data_location()), int(answer["rows"]))
        return _Outcome(columns, done=done, is_new=is_new)

    def _target(self) -> NewTable | StandingTable:
        # pyiceberg takes a second to import, and most processes never need it.
        from catalog.ingest_targets import NewTable, StandingTable

        if self.standing is None:
            return NewTable(self.warehouse, self.request, self.caller, self.key)
        return StandingTable(self.standing, self.request, self.caller, self.key)

    def _job(self) -> dict[str, Any]:
        request = self.request
        source = Source(
            str(self.path.resolve()), request.file_format, request.compression, request.delimiter, request.header,
            request.null_text, dict(request.types),
        )  # fmt: skip
        memory = settings.LAKEHOUSE_QUERY_MEMORY_MB
        return {
            "source": asdict(source), "folder": str(self.folder), "memory_mb": memory, "cpu_seconds": 4 * MAX_SECONDS
        }  # fmt: skip

    def _look(self, worker: WorkerProcess, target: Any, *, is_full: bool) -> tuple[list[Any], Plan | None]:
        columns = _asked(worker, {"kind": "describe", "is_full": is_full})
        if columns["kind"] == "mistyped" and not is_full:
            columns = _asked(worker, {"kind": "describe", "is_full": True})
        if columns["kind"] == "mistyped":
            raise InvalidInput.at("/file", "unreadable", columns["detail"])
        found = _checked(columns)["columns"]
        check_columns(found, self.request.types)
        if self.standing is None:
            return found, None
        fields = current_fields(orjson.loads(self.standing.metadata_text))
        return found, plan_append(
            found, fields, types=self.request.types, is_text=self.request.file_format != "parquet",
            may_evolve=self.request.may_evolve,
        )  # fmt: skip

    def _write(
        self, worker: WorkerProcess, target: Any, columns: Sequence[Any], plan: Plan | None, *, is_full: bool
    ) -> dict[str, Any]:
        fields = target.prepare(columns, plan)
        told = (*self.request.types, *(plan.told if plan is not None else ()))
        return _asked(worker, {"kind": "write", "fields": fields, "told": told, "is_full": is_full})

    def _moved(self, files: Sequence[Path], data_location: str) -> list[tuple[Path, str]]:
        moved = [(path, f"{data_location}/{uuid.uuid4()}.parquet") for path in files]
        for path, location in moved:
            save_file(self.warehouse, location, path)
        return moved


def _asked(worker: WorkerProcess, message: Mapping[str, Any]) -> dict[str, Any]:
    worker.send(dict(message))
    frame = worker.receive()
    if frame is None or frame.message is None:
        if worker.is_timed_out:
            raise TooLarge(f"The file was not read within {MAX_SECONDS} seconds. Send it in parts.")
        status = worker.how_it_ended()
        logger.error("ingest worker ended", extra={"status": status})
        raise TooLarge(f"Reading the file ended its process ({status}); most likely it needs too much memory.")
    return frame.message


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["kind"] in ("refused", "mistyped"):
        raise InvalidInput.at("/file", "refused", answer["detail"])
    if answer["kind"] == "memory":
        raise TooLarge(f"{answer['detail']} It may have {settings.LAKEHOUSE_QUERY_MEMORY_MB} MiB.")
    return answer
