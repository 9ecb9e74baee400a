from __future__ import annotations

import pytest
from django.test import Client

from catalog.models import Grant, Warehouse
from lakehouse_site.access.services import create_token
from tests.catalog.protocol_client import Protocol, set_properties

FORBIDDEN = (403, "ForbiddenException")


@pytest.fixture
def boss(warehouse: Warehouse) -> Protocol:
    """An admin, who has made a table in each of three namespaces."""
    boss = Protocol(create_token(name="boss", scope="admin").token)
    for namespace in ("a", "b"):
        boss.post("namespaces", {"namespace": [namespace]})
        boss.create("t", namespace)
    boss.post("namespaces", {"namespace": ["a", "in"]})
    boss.create("t", "a\x1fin")
    return boss


def _grant(warehouse: Warehouse, principal: str, path: str, privilege: str) -> None:
    Grant.objects.create(warehouse=warehouse, principal=principal, path=path, privilege=privilege)


def test_without_any_grant_the_scope_decides(boss: Protocol) -> None:
    writer = Protocol(create_token(name="writer", scope="write").token)

    assert writer.create("u", "a").status == 200


def test_with_a_grant_only_what_is_granted_is_seen_and_done(boss: Protocol, warehouse: Warehouse) -> None:
    token = create_token(name="writer", scope="write").token
    writer = Protocol(token)
    _grant(warehouse, "writer", "a", "write")

    assert writer.get("namespaces").body["namespaces"] == [["a"]]
    assert writer.get("namespaces?parent=a").body["namespaces"] == [["a", "in"]]
    assert writer.get("namespaces/a%1Fin/tables/t").status == 200
    assert writer.create("u", "a").status == 200
    assert writer.post("namespaces/a/tables/u", {"updates": [set_properties(a="1")]}).status == 200
    listed = Client().get("/v1/catalog/datasets", headers={"Authorization": f"Bearer {token}"}).json()["results"]
    assert [one["table"] for one in listed] == ["a.t", "a.u", "a.in.t"]
    names = {"source": {"namespace": ["a"], "name": "u"}, "destination": {"namespace": ["a"], "name": "v"}}
    for refused in (
        writer.get("namespaces?parent=b"),
        writer.get("namespaces/b"),
        writer.get("namespaces/b/tables"),
        writer.get("namespaces/b/tables/t"),
        writer.get("namespaces/b/tables/none"),
        writer.create("u", "b"),
        writer.post("namespaces/b/tables/t", {"updates": [set_properties(a="1")]}),
        writer.post("namespaces/b/tables/t/metrics", {}),
        writer.post("namespaces/b/register", {"name": "x", "metadata-location": "y"}),
        writer.post("namespaces", {"namespace": ["c"]}),
        writer.post("namespaces/a/properties", {"updates": {"a": "1"}}),
        writer.post("tables/rename", names),
        writer.call("DELETE", "namespaces/a/tables/u"),
    ):
        assert refused.error == FORBIDDEN
    assert boss.get("namespaces/b/tables/t").status == 200


def test_the_way_to_what_is_granted_can_be_browsed_and_not_read(boss: Protocol, warehouse: Warehouse) -> None:
    reader = Protocol(create_token(name="reader", scope="read").token)
    _grant(warehouse, "reader", "a\x1fin", "read")

    assert reader.get("namespaces").body["namespaces"] == [["a"]]
    assert reader.get("namespaces?parent=a").body["namespaces"] == [["a", "in"]]
    assert reader.get("namespaces/a%1Fin/tables/t").status == 200
    for refused in (reader.get("namespaces/a"), reader.get("namespaces/a/tables"), reader.get("namespaces?parent=b")):
        assert refused.status == 403


def test_to_manage_is_to_rename_and_drop_and_everybody_is_a_star(boss: Protocol, warehouse: Warehouse) -> None:
    keeper = Protocol(create_token(name="keeper", scope="write").token)
    other = Protocol(create_token(name="other", scope="write").token)
    _grant(warehouse, "keeper", "b", "manage")
    _grant(warehouse, "*", "", "read")
    names = {"source": {"namespace": ["b"], "name": "t"}, "destination": {"namespace": ["b"], "name": "v"}}

    assert other.get("namespaces/b/tables/t").status == 200
    assert other.create("u", "b").error == FORBIDDEN
    assert keeper.post("tables/rename", names).status == 204
    assert keeper.call("DELETE", "namespaces/b/tables/v").status == 204
    assert keeper.create("u", "a").error == FORBIDDEN


def test_a_transaction_needs_the_grant_for_each_of_its_tables(boss: Protocol, warehouse: Warehouse) -> None:
    writer = Protocol(create_token(name="writer", scope="write").token)
    _grant(warehouse, "writer", "a", "write")
    changes = [
        {"identifier": {"namespace": [namespace], "name": "t"}, "updates": [set_properties(x="1")]}
        for namespace in ("a", "b")
    ]

    assert writer.post("transactions/commit", {"table-changes": changes}).error == FORBIDDEN
    assert "x" not in boss.get("namespaces/a/tables/t").body["metadata"]["properties"]
