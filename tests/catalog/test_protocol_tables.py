from __future__ import annotations

from pathlib import Path

from catalog.models import Commit, Relation, Warehouse
from tests.catalog.protocol_client import SCHEMA, Protocol, set_properties


def _files(table: Relation) -> list[str]:
    return sorted(path.name for path in Path(table.location.removeprefix("file://"), "metadata").iterdir())


def test_a_table_is_made_loaded_and_listed(protocol: Protocol) -> None:
    created = protocol.create()

    assert created.status == 200
    row = Relation.objects.get()
    assert created.body["metadata-location"] == row.metadata_location
    assert Path(row.metadata_location.removeprefix("file://")).read_text() == row.metadata_text
    assert protocol.load().body["metadata"] == created.body["metadata"]
    assert protocol.get("namespaces/ns/tables").body == {"identifiers": [{"namespace": ["ns"], "name": "t"}]}
    assert protocol.call("HEAD", "namespaces/ns/tables/t").status == 204


def test_folders_are_made_for_clients_that_make_none(protocol: Protocol, warehouse: Warehouse) -> None:
    location = protocol.create().body["metadata"]["location"]

    assert location.startswith(f"{warehouse.root}/ns-")
    assert Path(location.removeprefix("file://"), "data").is_dir()


def test_a_commit_moves_the_row_and_leaves_the_older_file(protocol: Protocol) -> None:
    protocol.create()

    answer = protocol.commit("t", set_properties(a="1"))

    assert answer.status == 200
    assert answer.body["metadata"]["properties"]["a"] == "1"
    row = Relation.objects.get()
    assert (row.version, answer.body["metadata-location"]) == (1, row.metadata_location)
    assert [name[:6] for name in _files(row)] == ["00000-", "00001-"]
    assert list(Commit.objects.values_list("version", "action", "updates").order_by("version")) == [
        (0, "create", []),
        (1, "commit", ["set-properties"]),
    ]


def test_a_commit_that_changes_nothing_writes_nothing(protocol: Protocol) -> None:
    protocol.create()
    first = protocol.commit("t", set_properties(a="1")).body

    again = protocol.commit("t", set_properties(a="1"))

    assert again.body == first
    assert Commit.objects.count() == 2
    assert len(_files(Relation.objects.get())) == 2


def test_a_requirement_that_does_not_hold_is_a_409_and_changes_nothing(protocol: Protocol) -> None:
    protocol.create()
    requirement = {"type": "assert-current-schema-id", "current-schema-id": 7}

    answer = protocol.commit("t", set_properties(a="1"), requirements=[requirement])

    assert answer.error == (409, "CommitFailedException")
    assert len(_files(Relation.objects.get())) == 1


def test_a_staged_table_is_not_there_until_it_is_committed(protocol: Protocol) -> None:
    staged = protocol.post("namespaces/ns/tables", {"name": "t", "schema": SCHEMA, "stage-create": True})

    assert staged.status == 200
    assert "metadata-location" not in staged.body
    assert protocol.load().error == (404, "NoSuchTableException")
    metadata = staged.body["metadata"]
    updates = [
        {"action": "assign-uuid", "uuid": metadata["table-uuid"]},
        {"action": "upgrade-format-version", "format-version": metadata["format-version"]},
        {"action": "add-schema", "schema": metadata["schemas"][0], "last-column-id": metadata["last-column-id"]},
        {"action": "add-spec", "spec": metadata["partition-specs"][0]},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "set-default-spec", "spec-id": -1},
        {"action": "add-sort-order", "sort-order": metadata["sort-orders"][0]},
        {"action": "set-default-sort-order", "sort-order-id": -1},
        {"action": "set-location", "location": metadata["location"]},
    ]

    made = protocol.commit("t", *updates, requirements=[{"type": "assert-create"}])

    assert made.status == 200
    assert made.body["metadata"]["location"] == metadata["location"]
    assert made.body["metadata"]["table-uuid"] == metadata["table-uuid"]
    again = protocol.commit("t", *updates, requirements=[{"type": "assert-create"}])
    assert again.error == (409, "CommitFailedException")


def test_several_tables_are_committed_together_or_not_at_all(protocol: Protocol) -> None:
    protocol.create("a")
    protocol.create("b")

    def change(name: str, *requirements: object) -> dict[str, object]:
        identifier = {"namespace": ["ns"], "name": name}
        return {"identifier": identifier, "requirements": list(requirements), "updates": [set_properties(x="1")]}

    failing = {"type": "assert-table-uuid", "uuid": "00000000-0000-4000-8000-000000000000"}
    refused = protocol.post("transactions/commit", {"table-changes": [change("a"), change("b", failing)]})
    assert refused.error == (409, "CommitFailedException")
    assert "x" not in protocol.load("a").body["metadata"]["properties"]

    assert protocol.post("transactions/commit", {"table-changes": [change("b"), change("a")]}).status == 204
    assert protocol.load("a").body["metadata"]["properties"]["x"] == "1"
    assert protocol.load("b").body["metadata"]["properties"]["x"] == "1"


def test_a_renamed_table_keeps_its_files_and_its_old_name_is_free(protocol: Protocol) -> None:
    location = protocol.create().body["metadata"]["location"]
    names = {"source": {"namespace": ["ns"], "name": "t"}, "destination": {"namespace": ["ns"], "name": "u"}}

    assert protocol.post("tables/rename", names).status == 204

    assert protocol.load("u").body["metadata"]["location"] == location
    assert protocol.load("t").error == (404, "NoSuchTableException")
    assert protocol.create("t").body["metadata"]["location"] != location
    assert protocol.post("tables/rename", names).error == (409, "AlreadyExistsException")


def test_a_dropped_table_leaves_its_name_and_its_namespace_free(protocol: Protocol) -> None:
    protocol.create()

    assert protocol.call("DELETE", "namespaces/ns").error == (409, "NamespaceNotEmptyException")
    assert protocol.call("DELETE", "namespaces/ns/tables/t?purgeRequested=true").status == 204
    assert protocol.load().error == (404, "NoSuchTableException")
    assert protocol.create().status == 200
    assert protocol.call("DELETE", "namespaces/ns/tables/t").status == 204
    assert protocol.call("DELETE", "namespaces/ns").status == 204
    assert protocol.get("namespaces/ns").error == (404, "NoSuchNamespaceException")
    assert Relation.objects.filter(is_purge_requested=True).count() == 1


def test_a_table_that_was_unregistered_is_registered_again(protocol: Protocol) -> None:
    protocol.create()
    left = protocol.post("namespaces/ns/tables/t/unregister", None)
    assert left.status == 200

    body = {"name": "again", "metadata-location": left.body["metadata-location"]}
    answer = protocol.post("namespaces/ns/register", body)

    assert answer.status == 200
    assert answer.body["metadata"] == left.body["metadata"]
    assert protocol.commit("again", set_properties(a="1")).status == 200
    assert protocol.post("namespaces/ns/register", body).error == (409, "AlreadyExistsException")
    assert protocol.post("namespaces/ns/register", {**body, "overwrite": True}).status == 200
    assert "a" not in protocol.load("again").body["metadata"]["properties"]


def test_what_a_client_has_is_not_sent_again(protocol: Protocol) -> None:
    created = protocol.create()
    first = protocol.load()

    assert created.headers["ETag"] == first.headers["ETag"]
    same = protocol.get("namespaces/ns/tables/t", HTTP_IF_NONE_MATCH=first.headers["ETag"])
    assert (same.status, same.content) == (304, b"")
    assert protocol.get("namespaces/ns/tables/t?snapshots=refs", HTTP_IF_NONE_MATCH=first.headers["ETag"]).status == 200
    committed = protocol.commit("t", set_properties(a="1"))
    assert protocol.get("namespaces/ns/tables/t", HTTP_IF_NONE_MATCH=first.headers["ETag"]).status == 200
    assert protocol.get("namespaces/ns/tables/t", HTTP_IF_NONE_MATCH=committed.headers["ETag"]).status == 304
    assert protocol.get("namespaces/ns/tables/t?snapshots=some").error == (400, "BadRequestException")


def test_every_format_version_is_made_and_committed_to(protocol: Protocol) -> None:
    for version in (1, 2, 3):
        name = f"v{version}"
        created = protocol.create(name, properties={"format-version": str(version)})

        assert created.body["metadata"]["format-version"] == version
        assert protocol.commit(name, set_properties(a="1")).body["metadata"]["format-version"] == version
        assert Relation.objects.get(name=name).format_version == version


def test_a_relative_location_is_left_aside_and_ours_is_taken(protocol: Protocol, warehouse: Warehouse) -> None:
    answer = protocol.create(location="ns/t")

    assert answer.body["metadata"]["location"].startswith(f"{warehouse.root}/ns-")


def test_metrics_and_credentials_are_answered(protocol: Protocol) -> None:
    protocol.create()

    assert protocol.post("namespaces/ns/tables/t/metrics", {"report-type": "scan-report"}).status == 204
    assert protocol.get("namespaces/ns/tables/t/credentials").body == {"storage-credentials": []}


def test_a_name_is_taken_by_a_table(protocol: Protocol) -> None:
    protocol.create()

    again = protocol.create()

    assert again.error == (409, "AlreadyExistsException")
    assert again.message == "Table already exists: ns.t"
    assert protocol.post("namespaces/no/tables", {"name": "t", "schema": SCHEMA}).error == (
        404,
        "NoSuchNamespaceException",
    )
