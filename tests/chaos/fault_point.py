"""`manage.py` that kills itself at a named point, with graphs from a handful of items on.

Run as ``python -m tests.chaos.fault_point MIN_ITEMS FILE serve ...``; MIN_ITEMS may be ``-`` for the product's own
threshold. While FILE holds ``COUNT POINT``, the process that passes this point for the COUNT-th time sends SIGKILL to
its whole group: no handler runs, nothing is flushed. Points are the product's functions, each wrapped once.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

_passed: Counter[str] = Counter()
_file = Path()


def passing(point: str) -> bool:
    """Return whether this is the time to die."""
    try:
        count, _, armed = _file.read_text().partition(" ")
    except FileNotFoundError:
        return False
    if armed != point:
        return False
    _passed[point] += 1
    return _passed[point] >= int(count)


def die() -> None:
    os.killpg(0, signal.SIGKILL)
    threading.Event().wait()  # the signal takes a moment; not one further line of the product must run


def after(owner: Any, name: str, point: str) -> None:
    """Die when this function has returned something that is not False."""
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def outer(*args: Any, **kwargs: Any) -> Any:
        result = inner(*args, **kwargs)
        if result is not False and passing(point):
            die()
        return result

    setattr(owner, name, outer)


def before(owner: Any, name: str, point: str) -> None:
    """Die where this function is called."""
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def outer(*args: Any, **kwargs: Any) -> Any:
        if passing(point):
            die()
        return inner(*args, **kwargs)

    setattr(owner, name, outer)


def around_commit(module: Any, point: str) -> None:
    """Die in the writes of a module: when all is written and nothing committed, or right after the commit."""
    inner = module.run_write

    def outer(work: Callable[[], Any]) -> Any:
        def whole() -> Any:
            result = work()
            if passing(f"{point} before commit"):
                die()
            return result

        result = inner(whole)
        if passing(f"{point} after commit"):
            die()
        return result

    module.run_write = outer


def half_of_rows(rows: Any) -> None:
    inner = rows.upsert

    def upsert(index_id: Any, new: Any, *, keep_metadata: bool) -> None:
        if new and passing("rows half written"):
            inner(index_id, new[: len(new) // 2], keep_metadata=keep_metadata)
            die()
        inner(index_id, new, keep_metadata=keep_metadata)

    rows.upsert = upsert


def half_of_a_chunk(graph: Any) -> None:
    inner = graph.add

    def add(self: Any, labels: Any, vectors: Any, threads: int) -> None:
        if passing("graph half added"):
            inner(self, labels[: len(labels) // 2], vectors[: len(labels) // 2], threads)
            die()
        if passing("graph inside hnswlib"):
            threading.Thread(target=die, daemon=True).start()  # hnswlib lets go of the interpreter lock
        inner(self, labels, vectors, threads)

    graph.add = add


def half_of_the_pages(snapshots: Any) -> None:
    inner = snapshots.pages

    def pages(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for page in inner(*args, **kwargs):
            yield page
            if passing("file half written"):
                die()

    snapshots.pages = pages


def half_of_an_object(filesystem: Any, client: Any) -> None:
    """Die with half of the bytes under the object's name (as a copy to another disk would), or half way to S3."""
    move, send = filesystem.file_move_safe, client.HTTPConnection.send

    def half_move(source: Any, target: str, *args: Any, **kwargs: Any) -> None:
        if passing("object half saved"):
            data = Path(source).read_bytes()
            Path(target).write_bytes(data[: len(data) // 2])
            die()
        move(source, target, *args, **kwargs)

    def half_send(self: Any, data: Any) -> None:
        is_upload = isinstance(data, bytes) and (data.startswith(b"PUT ") or getattr(self, "uploads", False))
        if is_upload:
            body = data.partition(b"\r\n\r\n")[2] if data.startswith(b"PUT ") else data
            if body and passing("object half saved"):
                send(self, data[: len(data) - len(body) // 2])
                die()
            self.uploads = True
        send(self, data)

    filesystem.file_move_safe = half_move
    client.HTTPConnection.send = half_send


def wrap_writes() -> None:
    from vectors import indexes, maintenance, merge, restore, rows, snapshot_records, writes
    from vectors.hnsw import HnswGraph

    for module in (writes, merge, snapshot_records, maintenance, restore, indexes):
        around_commit(module, module.__name__.removeprefix("vectors."))
    after(writes, "advance", "head raised")
    after(writes, "bury_items", "rows buried")
    half_of_rows(rows)
    half_of_a_chunk(HnswGraph)
    before(merge, "bury_items", "merge: written there, not yet removed here")
    after(rows, "purge", "tombstones deleted, not committed")
    after(rows, "drop_items", "rows of the index deleted, not committed")


def wrap_snapshots() -> None:
    import http.client

    from django.core.files.storage import filesystem

    from vectors import maintenance, objects, snapshot_graphs, snapshot_records, snapshots
    from vectors.graph import SearchGraph

    after(SearchGraph, "save_graph", "graph saved")
    half_of_the_pages(snapshots)
    after(snapshots, "write", "file written, not synced")
    after(snapshot_records, "announce", "snapshot announced")
    half_of_an_object(filesystem, http.client)
    before(objects, "_sync_folder", "object saved, not read back")
    after(snapshots, "save_object", "object read back, not accepted")
    after(snapshot_records, "accept", "snapshot accepted")
    after(snapshots, "delete_object", "object deleted, its row not")
    after(snapshot_graphs, "copy_graph", "graph fetched")
    after(SearchGraph, "load_graph", "graph loaded")
    after(maintenance, "take_snapshot", "rebuilt graph published, not switched to")


def install() -> None:
    """Wrap everything, with small chunks.

    Where the server does no maintenance by itself, files and tombstones are old at once, so that a test need not wait.
    """
    from django.conf import settings

    from vectors import leases, maintenance, merge, snapshot_records

    modules: list[Any] = [merge, snapshot_records, maintenance, leases]
    merge_, records, maintenance_, leases_ = modules
    merge_.CHUNK_ROWS = maintenance_.PURGE_ROWS = 10
    if not settings.LAKEHOUSE_MAINTENANCE_SECONDS:
        records.GRACE = maintenance_.TOMBSTONE_AGE = timedelta(0)
        leases_.LEASE_SECONDS = 0  # one that was killed must not keep the next one waiting
    wrap_writes()
    wrap_snapshots()


def main() -> None:
    if os.getpgrp() != os.getpid():
        raise SystemExit("This has to lead a process group of its own: at a fault point it kills the whole group.")
    import django
    from django.core.management import execute_from_command_line

    from tests.e2e.small_graphs import build_graphs_above

    global _file
    _file = Path(sys.argv[2])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lakehouse_site.settings")
    django.setup()
    if sys.argv[1] != "-":
        build_graphs_above(int(sys.argv[1]))
    install()
    execute_from_command_line(["manage.py", *sys.argv[3:]])


if __name__ == "__main__":
    main()
