"""Tables on the server that is measured, over the protocol."""

from __future__ import annotations

import random
import time
from itertools import cycle
from typing import Any, Final

import orjson

from benchmarks.http_call import Connection, message

NAMESPACE: Final = "bench"
SCHEMA: Final[dict[str, Any]] = {
    "type": "struct",
    "schema-id": 0,
    "fields": [
        {"id": 1, "name": "id", "required": False, "type": "long"},
        {"id": 2, "name": "name", "required": False, "type": "string"},
        {"id": 3, "name": "amount", "required": False, "type": "double"},
    ],
}
PREFIX: Final = f"/iceberg/v1/namespaces/{NAMESPACE}/tables"


def make_namespace(port: int) -> None:
    connection = Connection(port)
    connection.call("POST", "/iceberg/v1/namespaces", {"namespace": [NAMESPACE], "properties": {}})
    connection.close()


def make_table(port: int, name: str, *, snapshots: int = 0, manifest_list: str = "") -> None:
    """Make a table, and its snapshots in a single commit."""
    connection = Connection(port)
    connection.call("POST", PREFIX, {"name": name, "schema": SCHEMA})
    if snapshots:
        now, parent, updates = time.time_ns() // 1_000_000, None, []
        for number in range(1, snapshots + 1):
            found = snapshot(manifest_list, number, parent, snapshot_id=new_id(), now_ms=now + number)
            parent = found["snapshot-id"]
            updates.append({"action": "add-snapshot", "snapshot": found})
        updates.append(moved(parent))
        connection.call("POST", f"{PREFIX}/{name}", {"requirements": [], "updates": updates})
    connection.close()


def new_id() -> int:
    return random.getrandbits(62)


def moved(snapshot_id: int | None) -> dict[str, Any]:
    """Return the update that makes a snapshot the current one."""
    return {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot_id}


def snapshot(manifest_list: str, number: int, parent: int | None, *, snapshot_id: int, now_ms: int) -> dict[str, Any]:
    """Return a snapshot of the protocol, the `number`-th of its table."""
    above = {} if parent is None else {"parent-snapshot-id": parent}
    return {
        "snapshot-id": snapshot_id, **above, "sequence-number": number, "timestamp-ms": now_ms, "schema-id": 0,
        "manifest-list": manifest_list,
        "summary": {
            "operation": "append", "added-data-files": "1", "added-records": "1000", "added-files-size": "40000",
            "total-data-files": str(number), "total-records": str(1_000 * number), "total-delete-files": "0",
            "total-files-size": str(40_000 * number), "total-position-deletes": "0", "total-equality-deletes": "0",
        },
    }  # fmt: skip


class Committer:
    """Commits to one table, as a client does that knows what it has written last and loads again after a conflict."""

    def __init__(self, port: int, table: str, manifest_lists: list[str]) -> None:
        self.conflicts = 0
        self._connection = Connection(port)
        self._path = f"{PREFIX}/{table}"
        self._lists = cycle(manifest_lists)
        self._done = 0
        self.load()

    def close(self) -> None:
        self._connection.close()

    def load(self) -> None:
        """Learn where the table stands."""
        found = self._connection.call("GET", f"{self._path}?snapshots=refs")["metadata"]
        self._uuid = found["table-uuid"]
        self._number = found.get("last-sequence-number", 0)
        current = found.get("current-snapshot-id")
        self._current: int | None = None if current == -1 else current

    def request(self, kind: str) -> bytes:
        """Return the next commit, of `set-properties` or `add-snapshot`, ready to be sent."""
        requirements: list[dict[str, Any]] = [{"type": "assert-table-uuid", "uuid": self._uuid}]
        if kind == "set-properties":
            updates: list[dict[str, Any]] = [{"action": kind, "updates": {"step": f"{self._done}-{new_id()}"}}]
        else:
            self._new = new_id()
            found = snapshot(
                next(self._lists), self._number + 1, self._current, snapshot_id=self._new,
                now_ms=time.time_ns() // 1_000_000,
            )  # fmt: skip
            requirements.append({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": self._current})
            updates = [{"action": kind, "snapshot": found}, moved(self._new)]
        body = orjson.dumps({"requirements": requirements, "updates": updates})
        return message("POST", self._path, body)

    def send(self, request: bytes, kind: str) -> None:
        """Send a commit and take what it made for where the table stands."""
        self._connection.ask(request)
        self._done += 1
        if kind == "add-snapshot":
            self._number, self._current = self._number + 1, self._new
