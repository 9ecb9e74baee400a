from __future__ import annotations

from pathlib import Path
from typing import Any

from django.test import Client

from catalog.models import Relation
from tests.catalog.avro_manifests import manifest, manifest_list
from tests.catalog.protocol_client import Protocol, set_properties, snapshot

API = "/v1/catalog/datasets"


def _get(path: str) -> Any:
    response = Client().get(API + path)
    assert response.status_code == 200, response.content
    return response.json()


def _post(path: str, body: Any = None) -> Any:
    return Client().post(API + path, body or {}, content_type="application/json")


def _append(protocol: Protocol, number: int, parent: int | None = None) -> None:
    place = protocol.load().body["metadata"]["location"]
    folder = Path(place.removeprefix("file://"), "metadata")
    (folder / f"{number}-list.avro").write_bytes(manifest_list([f"{place}/metadata/{number}.avro"]))
    (folder / f"{number}.avro").write_bytes(manifest([f"{place}/data/{number}.parquet"]))
    added = snapshot(number, f"{place}/metadata/{number}-list.avro", sequence=number, parent=parent)
    ref = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": number}
    answer = protocol.commit("t", {"action": "add-snapshot", "snapshot": added}, ref)
    assert answer.status == 200, answer.body


def test_datasets_are_listed_and_shown(protocol: Protocol) -> None:
    protocol.create("t")
    protocol.create("u.dotted")
    protocol.commit("t", set_properties(a="1"))

    listed = _get("?limit=1")
    shown = _get("/ns.t")

    assert listed["count"] == 2
    assert listed["results"][0]["table"] == "ns.t"
    assert shown["properties"]["a"] == "1"
    assert [(one["version"], one["action"]) for one in shown["commits"]] == [(1, "commit"), (0, "create")]
    assert _get(shown["links"]["schema"].removeprefix(API))["fields"][0]["name"] == "id"
    dotted = _get("?namespace=ns&offset=1")["results"][0]
    assert dotted["table"] == 'ns."u.dotted"'
    assert _get(dotted["links"]["self"].removeprefix(API))["name"] == "u.dotted"
    missing = Client().get(f"{API}/ns.none")
    assert (missing.status_code, missing.json()["code"]) == (404, "table_not_found")


def test_a_table_is_rolled_back(protocol: Protocol) -> None:
    protocol.create()
    _append(protocol, 1)
    _append(protocol, 2, parent=1)

    answer = _post("/ns.t/rollback", {"snapshot_id": 1})

    assert answer.status_code == 200, answer.content
    assert answer.json()["current_snapshot_id"] == 1
    assert [(one["snapshot_id"], one["is_current"]) for one in _get("/ns.t/snapshots")["results"]] == [
        (2, False),
        (1, True),
    ]
    assert _get("/ns.t")["commits"][0]["action"] == "rollback"
    assert _post("/ns.t/rollback", {"snapshot_id": 9}).status_code == 400
    assert _post("/ns.t/rollback", {"snapshot_id": "1"}).json()["errors"][0]["pointer"] == "/snapshot_id"


def test_a_dropped_table_comes_back_with_its_namespace(protocol: Protocol) -> None:
    before = protocol.create().body
    protocol.call("DELETE", "namespaces/ns/tables/t")
    protocol.call("DELETE", "namespaces/ns")

    dropped = _get("?dropped=true")["results"]
    answer = Client().post(dropped[0]["links"]["undrop"])

    assert answer.status_code == 200, answer.content
    assert protocol.load().body["metadata"] == before["metadata"]
    assert _get("?dropped=true")["count"] == 0
    assert _post("/ns.t/undrop").status_code == 404


def test_a_name_that_is_in_use_again_is_not_undropped(protocol: Protocol) -> None:
    protocol.create()
    protocol.call("DELETE", "namespaces/ns/tables/t")
    protocol.create()

    assert _post("/ns.t/undrop").status_code == 409
    assert Relation.objects.filter(deleted_at=None).count() == 1
