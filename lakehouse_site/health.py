"""Is the process alive (`/health`), and can it do its work (`/ready`)?"""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable
from typing import ClassVar

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lakehouse_site.errors import Fault
from lakehouse_site.problems import problem_response

logger = logging.getLogger(__name__)

STORAGE_PATIENCE_SECONDS = 5.0
PATHS = frozenset({"/health", "/health/"})


def answer(request: HttpRequest) -> HttpResponse:
    """Answer /health: no database, no storage, no token, no address layer. The middleware calls it first of all."""
    if request.method not in ("GET", "HEAD"):
        return problem_response(
            405, code="method_not_allowed", detail="Only GET and HEAD.", headers={"Allow": "GET, HEAD"}
        )
    return HttpResponse(b'{"status":"ok"}', content_type="application/json", headers={"Cache-Control": "no-store"})


class ReadyView(APIView):
    """Whether database, migrations and storage are in order."""

    required_scopes = {"GET": "read"}  # noqa: RUF012

    @extend_schema(
        summary="Can this process do its work?",
        description="Reaches the database, compares its migrations, and writes, reads and deletes a small object.",
        responses={200: {"type": "object", "properties": {"status": {"type": "string"}}}},
    )
    def get(self, request: Request) -> Response | HttpResponse:
        faults = [fault for check in (_database, _migrations, _storage) if (fault := _run(check)) is not None]
        if not faults:
            return Response({"status": "ready"})
        return problem_response(
            503,
            code="not_ready",
            title="Not ready",
            detail=" ".join(fault.detail for fault in faults),
            errors=faults,
            headers={"Retry-After": "5"},
        )


def _run(check: Callable[[], Fault | None]) -> Fault | None:
    name = check.__name__.strip("_")
    try:
        return check()
    except Exception:  # whatever it is (drivers and storages have their own errors), it is the answer
        logger.warning("not ready", exc_info=True, extra={"check": name})
        return Fault("", name, f"The {name} check failed; the server's log says why.")


def _database() -> Fault | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return None


def _migrations() -> Fault | None:
    if unapplied := unapplied_migrations():
        return Fault("", "migrations", f"{len(unapplied)} migrations are not applied: run `manage.py migrate`.")
    return None


class _StorageCheck(threading.Thread):
    """One look at the storage. Whoever asks while it is under way waits for the same answer, and not for ever.

    A storage that hangs would otherwise hold every thread of the server that a monitor's calls can reach. Once it has
    hung for `STORAGE_PATIENCE_SECONDS`, nobody waits for it any more.
    """

    _lock = threading.Lock()
    _latest: ClassVar[_StorageCheck | None] = None

    def __init__(self) -> None:
        super().__init__(name="storage-check", daemon=True)
        self.started_at = time.monotonic()
        self.fault: Fault | None = None
        self.error: Exception | None = None

    @classmethod
    def latest(cls) -> _StorageCheck:
        with cls._lock:
            if cls._latest is None or not cls._latest.is_alive():
                cls._latest = cls()
                cls._latest.start()
            return cls._latest

    def run(self) -> None:
        try:
            self.fault = _look_at_storage()
        except Exception as error:  # noqa: BLE001  raised again where it is waited for
            self.error = error


def _storage() -> Fault | None:
    return storage_fault()


def storage_fault(patience_seconds: float = math.inf) -> Fault | None:
    """Return what is wrong with the object storage, None for nothing.

    Whoever has less patience than `STORAGE_PATIENCE_SECONDS` gets a TimeoutError; the look goes on for the next one.
    """
    check = _StorageCheck.latest()
    remaining = max(0.0, check.started_at + STORAGE_PATIENCE_SECONDS - time.monotonic())
    check.join(min(patience_seconds, remaining))
    if check.is_alive():
        if patience_seconds < remaining:
            raise TimeoutError(f"The object storage has not answered within {patience_seconds:g} s.")
        return Fault("", "storage", f"The object storage has not answered for {STORAGE_PATIENCE_SECONDS:.0f} seconds.")
    if check.error is not None:
        raise check.error
    return check.fault


def _look_at_storage() -> Fault | None:
    content = secrets.token_bytes(16)
    name = default_storage.save(f"_ready/{secrets.token_hex(8)}", ContentFile(content))
    try:
        with default_storage.open(name) as stored:
            same = stored.read() == content
    finally:
        default_storage.delete(name)
    return None if same else Fault("", "storage", "The object storage gave back something else than was written.")


def unapplied_migrations() -> list[str]:
    """Return the names of the migrations the database lacks."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [str(migration) for migration, _ in plan]
