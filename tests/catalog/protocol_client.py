"""A client of the protocol that sends what it is told to, and bodies that tests start from."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import quote

from django.test import Client

SCHEMA: dict[str, Any] = {
    "type": "struct",
    "schema-id": 0,
    "fields": [
        {"id": 1, "name": "id", "required": True, "type": "long"},
        {"id": 2, "name": "text", "required": False, "type": "string"},
    ],
}


class Answer:
    """What came back."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.status_code
        self.headers = response.headers
        self.content: bytes = response.content

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> tuple[int, str]:
        """Status and type of an error, whose shape is checked."""
        error = self.body["error"]
        assert set(self.body) == {"error"}
        assert set(error) == {"message", "type", "code"}
        assert error["code"] == self.status
        assert self.headers["Content-Type"] == "application/json"
        return self.status, error["type"]

    @property
    def message(self) -> str:
        return str(self.body["error"]["message"])


class Protocol:
    """Calls below `/iceberg/v1`, through the whole site."""

    def __init__(self, token: str | None = None) -> None:
        self._client = Client(raise_request_exception=False)
        self._meta = {"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **meta: Any) -> Answer:
        sent = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        content_type = meta.pop("content_type", "application/json")
        return Answer(self._client.generic(method, f"/iceberg/v1/{path}", sent, content_type, **{**self._meta, **meta}))

    def get(self, path: str, **meta: Any) -> Answer:
        return self.call("GET", path, **meta)

    def post(self, path: str, body: Any, **meta: Any) -> Answer:
        return self.call("POST", path, body, **meta)

    def create(self, name: str = "t", namespace: str = "ns", **fields: Any) -> Answer:
        """Make a table in a namespace of one level."""
        return self.post(f"namespaces/{quote(namespace)}/tables", {"name": name, "schema": SCHEMA, **fields})

    def commit(self, name: str = "t", *updates: Any, requirements: Any = (), **meta: Any) -> Answer:
        body = {"requirements": list(requirements), "updates": list(updates)}
        return self.post(f"namespaces/ns/tables/{quote(name)}", body, **meta)

    def load(self, name: str = "t") -> Answer:
        return self.get(f"namespaces/ns/tables/{quote(name)}")


def set_properties(**values: str) -> dict[str, Any]:
    return {"action": "set-properties", "updates": values}


def snapshot(snapshot_id: int, manifest_list: str, *, sequence: int = 1, parent: int | None = None) -> dict[str, Any]:
    """Return a snapshot to add."""
    found = {
        "snapshot-id": snapshot_id,
        "sequence-number": sequence,
        "timestamp-ms": 2_000_000_000_000 + snapshot_id,
        "manifest-list": manifest_list,
        "summary": {"operation": "append"},
        "schema-id": 0,
    }
    return found | ({"parent-snapshot-id": parent} if parent is not None else {})


def new_key() -> dict[str, str]:
    """Return the header of a new idempotency key."""
    return {"HTTP_IDEMPOTENCY_KEY": str(uuid.uuid4())}
