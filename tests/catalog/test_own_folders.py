"""Where grants decide, a table names files of its own alone; places of others are taken by nobody."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from catalog.models import Grant, Relation, Warehouse
from lakehouse_site.access.services import create_token
from tests.catalog.avro_manifests import manifest, manifest_list
from tests.catalog.protocol_client import SCHEMA, Protocol, set_properties, snapshot

FORBIDDEN = (403, "ForbiddenException")


@pytest.fixture
def boss(warehouse: Warehouse) -> Protocol:
    """An admin, who has made a table in each of two namespaces."""
    boss = Protocol(create_token(name="boss", scope="admin").token)
    for namespace in ("a", "b"):
        boss.post("namespaces", {"namespace": [namespace]})
        boss.create("t", namespace)
    return boss


@pytest.fixture
def writer(boss: Protocol, warehouse: Warehouse) -> Protocol:
    """Who may do everything in `a`, and read `b`."""
    for path, privilege in (("a", "manage"), ("b", "read")):
        Grant.objects.create(warehouse=warehouse, principal="writer", path=path, privilege=privilege)
    return Protocol(create_token(name="writer", scope="write").token)


def _row(namespace: str, name: str = "t") -> Relation:
    return Relation.objects.get(namespace__path=namespace, name=name, deleted_at=None)


def _write(location: str, data: bytes) -> str:
    path = Path(location.removeprefix("file://"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return location


def _append(protocol: Protocol, *, manifests: str, data_file: str, name: str = "t") -> Any:
    """Commit a snapshot to `a.t` whose manifests lie in one folder and name a data file in another."""
    inner = _write(f"{manifests}/{uuid.uuid4()}.avro", manifest([data_file]))
    outer = _write(f"{manifests}/{uuid.uuid4()}.avro", manifest_list([inner]))
    update = {"action": "add-snapshot", "snapshot": snapshot(7, outer)}
    return protocol.post(f"namespaces/a/tables/{name}", {"requirements": [], "updates": [update]})


def test_new_files_lie_in_the_tables_own_folder(boss: Protocol, writer: Protocol) -> None:
    own, other = _row("a").location, _row("b").location

    assert _append(writer, manifests=f"{own}/metadata", data_file=f"{other}/data/x.parquet").error == FORBIDDEN
    assert _append(writer, manifests=f"{other}/metadata", data_file=f"{own}/data/x.parquet").error == FORBIDDEN
    assert _append(writer, manifests=f"{own}/metadata", data_file=f"{own}-x/data/x.parquet").error == FORBIDDEN
    for name in ("write.data.path", "write.metadata.path"):
        update = set_properties(**{name: f"{other}/data"})
        assert writer.post("namespaces/a/tables/t", {"updates": [update]}).error == FORBIDDEN
    assert _append(writer, manifests=f"{own}/metadata", data_file=f"{own}/data/x.parquet").status == 200
    assert boss.post("namespaces/a/tables/t", {"updates": [set_properties(**{"write.data.path": other})]}).status == 200


def test_a_link_to_the_folder_of_another_table_is_followed_before_it_is_believed(writer: Protocol) -> None:
    own, other = _row("a").location, _row("b").location
    link = Path(own.removeprefix("file://"), "data", "link")
    link.symlink_to(other.removeprefix("file://"))

    answer = _append(writer, manifests=f"{own}/metadata", data_file=f"{own}/data/link/data/x.parquet")

    assert answer.error == FORBIDDEN


def test_without_grants_files_may_lie_anywhere_in_the_warehouse(boss: Protocol) -> None:
    anyone = Protocol(create_token(name="anyone", scope="write").token)
    own, other = _row("a").location, _row("b").location

    assert _append(anyone, manifests=f"{own}/metadata", data_file=f"{other}/data/x.parquet").status == 200


def test_old_metadata_of_another_table_cannot_be_registered(boss: Protocol, writer: Protocol) -> None:
    first = _row("b").metadata_location
    boss.post("namespaces/b/tables/t", {"updates": [set_properties(x="1")]})
    body = {"name": "stolen", "metadata-location": first}
    own = json.loads(Path(_row("a").metadata_location.removeprefix("file://")).read_text())
    own["location"] += "-new"
    moved = _write(f"{own['location']}/metadata/v1.metadata.json", json.dumps(own).encode())

    assert writer.post("namespaces/a/register", body).error == (400, "BadRequestException")
    assert not Relation.objects.filter(name="stolen").exists()
    assert writer.post("namespaces/a/register", {"name": "mine", "metadata-location": moved}).status == 200
    assert boss.post("namespaces/a/register", body).status == 200


@pytest.mark.parametrize("is_dropped", [False, True])
def test_who_sends_the_uuid_of_another_table_does_not_get_its_place(protocol: Protocol, is_dropped: bool) -> None:
    held = protocol.create("t").body["metadata"]
    if is_dropped:
        protocol.call("DELETE", "namespaces/ns/tables/t")
    updates = [
        {"action": "assign-uuid", "uuid": held["table-uuid"]},
        {"action": "add-schema", "schema": SCHEMA},
        {"action": "set-current-schema", "schema-id": -1},
    ]
    body = {"requirements": [{"type": "assert-create"}], "updates": updates}

    refused = protocol.post("namespaces/ns/tables/T", body)

    assert refused.error == (400, "BadRequestException")
    assert "overlaps" in refused.message


def test_a_registered_place_is_normalised_and_can_be_committed_to(protocol: Protocol) -> None:
    made = protocol.create("t").body
    metadata = made["metadata"] | {"location": made["metadata"]["location"].replace("file:///", "file:/") + "/"}
    location = _write(made["metadata"]["location"] + "/metadata/v9.metadata.json", json.dumps(metadata).encode())
    protocol.call("DELETE", "namespaces/ns/tables/t")

    assert protocol.post("namespaces/ns/register", {"name": "again", "metadata-location": location}).status == 200

    assert _row("ns", "again").location == made["metadata"]["location"]
    committed = protocol.commit("again", set_properties(x="1"))
    assert committed.status == 200
    assert committed.body["metadata-location"].startswith(made["metadata"]["location"] + "/metadata/00001-")
