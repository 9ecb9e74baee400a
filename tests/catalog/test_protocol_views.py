from __future__ import annotations

from typing import Any

from catalog.models import Relation
from tests.catalog.protocol_client import SCHEMA, Protocol


def _version(sql: str) -> dict[str, Any]:
    return {
        "version-id": 1,
        "timestamp-ms": 1_700_000_000_000,
        "schema-id": 0,
        "summary": {"engine-name": "test"},
        "representations": [{"type": "sql", "sql": sql, "dialect": "duckdb"}],
        "default-namespace": ["ns"],
    }


def _create(protocol: Protocol, name: str = "v") -> Any:
    body = {"name": name, "schema": SCHEMA, "view-version": _version("SELECT 1"), "properties": {}}
    return protocol.post("namespaces/ns/views", body)


def test_a_view_is_made_loaded_replaced_renamed_and_dropped(protocol: Protocol) -> None:
    created = _create(protocol)
    assert created.status == 200, created.body
    assert protocol.get("namespaces/ns/views/v").body["metadata"] == created.body["metadata"]
    assert protocol.get("namespaces/ns/views").body == {"identifiers": [{"namespace": ["ns"], "name": "v"}]}
    assert protocol.call("HEAD", "namespaces/ns/views/v").status == 204

    updates = [
        {"action": "add-view-version", "view-version": _version("SELECT 2")},
        {"action": "set-current-view-version", "view-version-id": -1},
    ]
    requirement = {"type": "assert-view-uuid", "uuid": created.body["metadata"]["view-uuid"]}
    answer = protocol.post("namespaces/ns/views/v", {"requirements": [requirement], "updates": updates})
    assert answer.status == 200, answer.body
    assert len(answer.body["metadata"]["versions"]) == 2
    wrong = {"type": "assert-view-uuid", "uuid": "00000000-0000-4000-8000-000000000000"}
    refused = protocol.post("namespaces/ns/views/v", {"requirements": [wrong], "updates": updates})
    assert refused.error == (409, "CommitFailedException")

    names = {"source": {"namespace": ["ns"], "name": "v"}, "destination": {"namespace": ["ns"], "name": "w"}}
    assert protocol.post("views/rename", names).status == 204
    assert protocol.call("DELETE", "namespaces/ns/views/w").status == 204
    assert protocol.get("namespaces/ns/views/w").error == (404, "NoSuchViewException")
    body = {"name": "again", "metadata-location": answer.body["metadata-location"]}
    assert protocol.post("namespaces/ns/register-view", body).body["metadata"] == answer.body["metadata"]


def test_tables_and_views_share_their_names(protocol: Protocol) -> None:
    _create(protocol)
    protocol.create("t")

    assert protocol.create("v").message == "View with same name already exists: ns.v"
    again = _create(protocol, "t")
    assert again.error == (409, "AlreadyExistsException")
    assert again.message == "Table with same name already exists: ns.t"
    assert protocol.load("v").error == (404, "NoSuchTableException")
    assert protocol.get("namespaces/ns/views/t").error == (404, "NoSuchViewException")
    names = {"source": {"namespace": ["ns"], "name": "v"}, "destination": {"namespace": ["ns"], "name": "t"}}
    assert protocol.post("views/rename", names).error == (409, "AlreadyExistsException")
    assert Relation.objects.count() == 2
