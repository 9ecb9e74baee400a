from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.admin_pages.base import MAX_MESSAGE
from catalog.callers import SYSTEM, Caller
from catalog.ingest import ingest_file
from catalog.ingest_requests import parse_request
from catalog.models import Commit, Grant, IdempotencyKey, QueryRun, Relation, Warehouse
from catalog.namespaces import create_namespace
from lakehouse_site.start_page import look_around
from tests.catalog.lake import append, drop, ids_of, make_table, make_view, metadata_of, row_of
from tests.vectors.admin_pages import HOSTILE, boss_client, checked, get, text_of

LISTS = ("relation", "warehouse", "namespace", "grant", "commit", "ingestrun", "queryrun", "idempotencykey")


@pytest.fixture
def boss(warehouse: Warehouse) -> Client:
    return boss_client()


def staff_with(*permissions: str) -> Client:
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[f"{one}_relation" for one in permissions]))
    client = Client()
    client.force_login(user)
    return client


def page(name: str, relation: Relation | None = None) -> str:
    return reverse(f"admin:catalog_relation_{name}", args=[(relation or row_of()).pk])


def test_the_list_tells_living_and_dropped_tables_and_views(boss: Client, warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, *range(1234))
    make_view(warehouse)
    make_table(warehouse, "gone")
    drop(warehouse, "gone", purge=True)

    text = text_of(get(boss, reverse("admin:catalog_relation_changelist")))

    assert "ns.t Table living 1,234 " in text
    assert "ns.v View living – – v1" in text
    assert "ns.gone Table to be purged" in text
    living = text_of(get(boss, reverse("admin:catalog_relation_changelist"), dropped="0"))
    assert "to be purged" not in living
    assert "2 tables and views" in living


def test_the_page_of_a_table_shows_its_facts_over_time(boss: Client, warehouse: Warehouse, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("id,name\n1,a\n2,b\n")
    request = parse_request({"table": "ns.t"}, file_name=file.name)
    ingest_file(path=file, source_name=file.name, request=request, caller=Caller("ada", "request-7", True))
    request = parse_request({"table": "ns.t", "mode": "append"}, file_name=file.name)
    file.write_text("id,name\n3,c\n")
    ingest_file(path=file, source_name=file.name, request=request, caller=SYSTEM)

    html = get(boss, page("change"))
    text = text_of(html)

    assert html.count('role="img"') == 2
    assert html.count("<circle") == 4
    assert "3 at " in html
    assert "request-7" in text
    assert text.count("people.csv") == 2
    assert text.count("Roll back …") == 1
    assert str(metadata_of()["snapshots"][0]["snapshot-id"]) in text
    assert "main branch" in text


def test_the_schema_is_shown_as_deep_as_it_is(boss: Client, warehouse: Warehouse) -> None:
    inner = {"type": "struct", "fields": [{"id": 4, "name": "judge", "type": "string", "required": True, "doc": "Who"}]}
    fields: list[dict[str, Any]] = [
        {"id": 1, "name": "id", "type": "long", "required": True},
        {"id": 2, "name": "l", "type": {"type": "list", "element-id": 3, "element": inner, "element-required": False}},
        {"id": 5, "name": "m", "type": {"type": "map", "key-id": 6, "key": "string", "value-id": 7, "value": "double"}},
    ]
    fields[1]["required"] = fields[2]["required"] = fields[2]["type"]["value-required"] = False
    spec = {"spec-id": 0, "fields": [{"source-id": 1, "field-id": 1000, "name": "b", "transform": "bucket[4]"}]}
    make_table(warehouse, fields=fields, properties={"owner": HOSTILE}, partition_spec=spec)
    make_view(warehouse)

    html = get(boss, page("schema"))

    assert "id long yes 1" in text_of(html)
    assert '"lk-deep-2">judge' in html
    assert "judge string yes 5 Who" in text_of(html)
    assert "key string yes 6" in text_of(html)
    assert "bucket[4] of id" in text_of(html)
    assert "<script>alert" not in html
    assert "SELECT 1 AS id" in get(boss, page("schema", row_of("v")))
    get(boss, page("change", row_of("v")))


def test_the_first_rows_are_shown(boss: Client, warehouse: Warehouse) -> None:
    make_table(warehouse)
    assert "It has no rows." in get(boss, page("rows"))
    append(warehouse, 41, 42)

    assert "ID 41 42" in text_of(get(boss, page("rows"))).upper()


def test_a_table_is_rolled_back_after_a_look(boss: Client, warehouse: Warehouse) -> None:
    make_table(warehouse)
    first = append(warehouse, 1)
    append(warehouse, 2)

    assert f"snapshot {first}" in text_of(get(boss, page("rollback"), snapshot=str(first)))
    assert ids_of(warehouse) == [1, 2]
    answer = boss.post(page("rollback"), {"snapshot": str(first)}, follow=True)

    assert "is at snapshot" in checked(answer.content.decode())
    assert ids_of(warehouse) == [1]
    commit = Commit.objects.order_by("-pk")[0]
    assert (commit.action, commit.principal) == ("rollback", "boss")
    assert "no such snapshot" in boss.post(page("rollback"), {"snapshot": "77"}, follow=True).content.decode()


def test_a_table_is_dropped_when_its_name_is_typed_and_comes_back(boss: Client, warehouse: Warehouse) -> None:
    make_table(warehouse)
    relation = row_of()
    get(boss, page("delete"))

    boss.post(page("delete"), {"name": "T"})
    assert row_of().deleted_at is None
    boss.post(page("delete"), {"name": "t", "purge": "on"})

    found = Relation.objects.get()
    assert (found.deleted_at is not None, found.is_purge_requested) == (True, True)
    assert "It was dropped on" in get(boss, page("change", relation))
    get(boss, page("undrop", relation))
    boss.post(page("undrop", relation))
    assert row_of().deleted_at is None
    assert "Undropped" in get(boss, page("history", relation))


def test_what_cannot_be_done_is_told_on_the_page(boss: Client, warehouse: Warehouse) -> None:
    make_table(warehouse)
    old = row_of()
    drop(warehouse)
    make_table(warehouse)

    answer = boss.post(page("undrop", old), follow=True)

    assert "already exists" in answer.content.decode()
    assert MAX_MESSAGE > 500
    gone = reverse("admin:catalog_relation_change", args=[999])
    assert "does not exist" in boss.get(gone, follow=True).content.decode()
    assert boss.get(gone.replace("999", "9" * 40), follow=True).status_code == 200


@pytest.mark.parametrize(
    ("permissions", "name", "status"),
    [
        ((), "change", 403),
        ((), "rows", 403),
        (("view",), "change", 200),
        (("view",), "rollback", 403),
        (("view",), "undrop", 403),
        (("view", "change"), "delete", 403),
        (("change",), "undrop", 200),
        (("delete",), "delete", 200),
    ],
)
def test_the_permissions_of_django_count(
    warehouse: Warehouse, permissions: tuple[str, ...], name: str, status: int
) -> None:
    make_table(warehouse)
    client = staff_with(*permissions)

    assert client.get(page(name)).status_code == status
    if status == 403:
        assert client.post(page(name), {"name": "t"}).status_code == 403
    assert row_of().deleted_at is None


def test_who_may_only_look_sees_no_buttons(warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, 1)
    append(warehouse, 2)

    text = text_of(get(staff_with("view"), page("change")))

    assert "Drop …" not in text
    assert "Roll back" not in text


@pytest.mark.parametrize("name", LISTS)
def test_every_list_and_every_fact_has_a_page(boss: Client, warehouse: Warehouse, name: str, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id\n1\n")
    request = parse_request({"table": "ns.t"}, file_name=file.name)
    ingest_file(path=file, source_name=HOSTILE, request=request, caller=SYSTEM)
    QueryRun.objects.create(sql=HOSTILE, status="refused", detail=HOSTILE)
    IdempotencyKey.objects.create(principal="p", key="k", request_sha256="", status=200, body=HOSTILE)
    Grant.objects.create(principal="p", warehouse=warehouse, path="ns", privilege="read")

    get(boss, reverse(f"admin:catalog_{name}_changelist"), q="x")
    get(boss, reverse(f"admin:catalog_{name}_changelist"))
    row = Relation._meta.apps.get_model("catalog", name).objects.all()[0]
    get(boss, reverse(f"admin:catalog_{name}_change", args=[row.pk]))
    if name not in ("grant", "relation"):
        assert boss.post(reverse(f"admin:catalog_{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        assert boss.get(reverse(f"admin:catalog_{name}_add")).status_code == 403


def test_grants_are_given_changed_and_taken_back(boss: Client, warehouse: Warehouse) -> None:
    create_namespace(warehouse=warehouse, levels=["ns", "deep"], caller=SYSTEM)
    space = warehouse.namespaces.get(path="ns\x1fdeep")
    other = Warehouse.objects.create(name="other", root="file:///nowhere")
    form: dict[str, Any] = {
        "principal": "loader",
        "warehouse": warehouse.pk,
        "namespace": space.pk,
        "privilege": "read",
    }
    add = reverse("admin:catalog_grant_add")

    assert "lies in the warehouse main" in boss.post(add, {**form, "warehouse": other.pk}).content.decode()
    assert boss.post(add, form).status_code == 302
    assert "such a grant already" in boss.post(add, form).content.decode()
    grant = Grant.objects.get()
    assert (grant.path, grant.privilege) == ("ns\x1fdeep", "read")
    change = reverse("admin:catalog_grant_change", args=[grant.pk])
    assert "selected>ns.deep" in get(boss, change)
    assert boss.post(change, {**form, "namespace": "", "privilege": "manage"}).status_code == 302
    grant.refresh_from_db()
    assert (grant.path, grant.privilege) == ("", "manage")
    assert "the whole warehouse" in get(boss, reverse("admin:catalog_grant_changelist"))
    boss.post(reverse("admin:catalog_grant_delete", args=[grant.pk]), {"post": "yes"})
    assert not Grant.objects.exists()


def test_the_start_page_counts_tables_and_points_to_queries_that_failed(warehouse: Warehouse) -> None:
    make_table(warehouse)
    append(warehouse, 1, 2)

    def part() -> Any:
        return next(one for one in look_around(may=lambda _: True) if one.title == "Tables")

    assert (part().state, part().summary) == ("good", "2 rows in 1 table.")
    assert part().details[0].startswith("Last commit: ns.t")
    QueryRun.objects.create(sql="SELECT 1", status="failed", detail="No such column.")
    assert (part().state, part().links[0].text) == ("good", "Query failed: No such column.")
    QueryRun.objects.create(sql="SELECT 1", status="timeout", detail="Too long.")
    assert (part().state, part().links[0].text) == ("look", "Query timeout: Too long.")
    QueryRun.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert part().state == "good"
