"""What a client sends is confined to the warehouse: locations, metadata files, manifests, and the files these name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from catalog import relation_writes
from catalog.models import Relation, Warehouse
from tests.catalog.avro_manifests import manifest, manifest_list
from tests.catalog.protocol_client import SCHEMA, Answer, Protocol, set_properties, snapshot

OUTSIDE = [
    "file:///etc/passwd",
    "file:/etc/passwd",
    "/etc/passwd",
    "s3://other/bucket",
    "http://127.0.0.1/x",
    "{root}/../secret",
    "{root}/a/../../secret",
    "{root}/a/%2e%2e/%2e%2e/secret",
    "{root}x/sibling",
    "file://{root}",
    "FILE:///etc/passwd",
    "{root}/a\\..\\b",
    "{root}/a\u0000b",
]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file beside the warehouse that nobody may read."""
    path = tmp_path / "objects" / "secret"
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"format-version": 2, "secret": "do not tell"}')
    os.chmod(path, 0o600)
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are opened for reading or writing of tables."""
    paths: list[str] = []
    real = os.open

    def spy(path: Any, *arguments: Any, **options: Any) -> int:
        paths.append(str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr("catalog.disk_files.os.open", spy)
    return paths


def _local(location: str) -> Path:
    return Path(location.removeprefix("file://"))


def _refused(answer: Answer, opened: list[str], root: str) -> None:
    assert answer.error == (400, "BadRequestException")
    folder = os.path.realpath(root.removeprefix("file://"))
    # Folders above the warehouse are opened to sync their names to disk.
    assert [path for path in opened if not path.startswith(folder) and not os.path.isdir(path)] == []


def test_a_table_is_not_made_elsewhere(
    protocol: Protocol, warehouse: Warehouse, secret: Path, opened: list[str]
) -> None:
    for location in OUTSIDE:
        _refused(protocol.create(location=location.format(root=warehouse.root)), opened, warehouse.root)
    assert not Relation.objects.exists()


def _updates(place: str) -> list[dict[str, Any]]:
    """Return one update for each way to name a place."""
    return [
        {"action": "set-location", "location": place},
        set_properties(**{"write.data.path": place}),
        set_properties(**{"write.metadata.path": place}),
        {"action": "add-snapshot", "snapshot": snapshot(1, place)},
        {"action": "set-statistics", "statistics": {"snapshot-id": 1, "statistics-path": place}},
    ]


def test_no_update_names_a_place_elsewhere(
    protocol: Protocol, warehouse: Warehouse, secret: Path, opened: list[str]
) -> None:
    protocol.create()
    opened.clear()

    for location in OUTSIDE:
        for update in _updates(location.format(root=warehouse.root)):
            _refused(protocol.commit("t", update), opened, warehouse.root)
    assert Relation.objects.get().version == 0


def test_a_manifest_that_points_elsewhere_is_refused(
    protocol: Protocol, warehouse: Warehouse, secret: Path, opened: list[str]
) -> None:
    place = protocol.create().body["metadata"]["location"]
    for location in OUTSIDE:
        bad = location.format(root=warehouse.root)
        (_local(place) / "metadata/list.avro").write_bytes(manifest_list([f"{place}/metadata/m.avro"]))
        (_local(place) / "metadata/m.avro").write_bytes(manifest([f"{place}/data/good.parquet", bad]))
        (_local(place) / "metadata/far.avro").write_bytes(manifest_list([bad]))
        opened.clear()
        for name in ("list.avro", "far.avro"):
            added = {"action": "add-snapshot", "snapshot": snapshot(1, f"{place}/metadata/{name}")}
            _refused(protocol.commit("t", added), opened, warehouse.root)
    assert Relation.objects.get().version == 0


def test_a_manifest_whose_files_lie_in_the_warehouse_is_taken(protocol: Protocol) -> None:
    place = protocol.create().body["metadata"]["location"]
    (_local(place) / "metadata/list.avro").write_bytes(manifest_list([f"{place}/metadata/m.avro"]))
    (_local(place) / "metadata/m.avro").write_bytes(manifest([f"{place}/data/good.parquet"]))
    added = {"action": "add-snapshot", "snapshot": snapshot(1, f"{place}/metadata/list.avro")}

    assert protocol.commit("t", added).status == 200


def test_an_old_snapshot_id_on_a_manifest_does_not_keep_it_from_being_read(protocol: Protocol) -> None:
    place = protocol.create().body["metadata"]["location"]
    (_local(place) / "metadata/list.avro").write_bytes(manifest_list([f"{place}/metadata/m.avro"], snapshot_id=77))
    (_local(place) / "metadata/m.avro").write_bytes(manifest(["file:///etc/passwd"]))
    added = {"action": "add-snapshot", "snapshot": snapshot(1, f"{place}/metadata/list.avro")}

    assert protocol.commit("t", added).error == (400, "BadRequestException")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_links_out_of_the_warehouse_are_not_followed(
    protocol: Protocol, warehouse: Warehouse, secret: Path, kind: str
) -> None:
    place = protocol.create().body["metadata"]["location"]
    data = _local(place) / "data"
    if kind == "file":
        (data / "link").symlink_to(secret)
        linked = f"{place}/data/link"
    else:
        (data / "folder").symlink_to(secret.parent)
        linked = f"{place}/data/folder/secret"
    (_local(place) / "metadata/list.avro").write_bytes(manifest_list([f"{place}/metadata/m.avro"]))
    (_local(place) / "metadata/m.avro").write_bytes(manifest([linked]))
    by_manifest = {"action": "add-snapshot", "snapshot": snapshot(1, f"{place}/metadata/list.avro")}

    answers = [
        protocol.commit("t", by_manifest),
        protocol.commit("t", {"action": "add-snapshot", "snapshot": snapshot(1, linked)}),
        protocol.post("namespaces/ns/register", {"name": "r", "metadata-location": linked}),
        protocol.create("u", location=linked),
    ]

    for answer in answers:
        assert answer.error == (400, "BadRequestException")
        assert "do not tell" not in answer.message


BROKEN = (b"", b"no json", b"[]", b"{}", b"[" * 100_000, b'{"format-version": 9}', b'{"format-version": 2}', b"\x80")


def test_broken_metadata_is_not_registered(protocol: Protocol, warehouse: Warehouse) -> None:
    place = protocol.create().body["metadata"]["location"]
    for content in BROKEN:
        (_local(place) / "metadata/x.json").write_bytes(content)
        body = {"name": "r", "metadata-location": f"{place}/metadata/x.json"}

        for path in ("namespaces/ns/register", "namespaces/ns/register-view"):
            assert protocol.post(path, body).error == (400, "BadRequestException"), content[:20]


def test_metadata_elsewhere_is_not_registered(protocol: Protocol, warehouse: Warehouse, secret: Path) -> None:
    for location in [*OUTSIDE, "", None, 7, "{root}/missing.json", "{root}"]:
        sent = location.format(root=warehouse.root) if isinstance(location, str) else location

        answer = protocol.post("namespaces/ns/register", {"name": "r", "metadata-location": sent})

        assert answer.error == (400, "BadRequestException"), location


def test_registered_metadata_is_confined_as_a_commit_is(protocol: Protocol, warehouse: Warehouse) -> None:
    created = protocol.create().body
    place = created["metadata"]["location"]
    (_local(place) / "metadata/list.avro").write_bytes(manifest_list([f"{place}/metadata/m.avro"]))
    (_local(place) / "metadata/m.avro").write_bytes(manifest(["file:///etc/passwd"]))
    bad = [
        {**created["metadata"], "location": "file:///etc"},
        {
            **created["metadata"],
            "snapshots": [snapshot(1, f"{place}/metadata/list.avro")],
            "current-snapshot-id": 1,
            "last-sequence-number": 1,
            "refs": {"main": {"type": "branch", "snapshot-id": 1}},
        },
    ]
    for number, metadata in enumerate(bad):
        (_local(place) / f"metadata/{number}.json").write_text(json.dumps(metadata))
        body = {"name": "r", "metadata-location": f"{place}/metadata/{number}.json"}
        assert protocol.post("namespaces/ns/register", body).error == (400, "BadRequestException")


def test_no_table_lies_in_the_place_of_another(protocol: Protocol, warehouse: Warehouse) -> None:
    place = protocol.create().body["metadata"]["location"]
    others = [place, f"{place}/data", place.rpartition("/")[0], warehouse.root, f"{place}/"]

    for other in others:
        assert protocol.create("u", location=other).error == (400, "BadRequestException")
    protocol.create("v")
    assert protocol.commit("v", {"action": "set-location", "location": f"{place}/in"}).status == 400
    assert protocol.create("u", location=f"{warehouse.root}/elsewhere/u").status == 200


def test_a_pipe_in_the_warehouse_does_not_hold_the_server(protocol: Protocol) -> None:
    place = protocol.create().body["metadata"]["location"]
    os.mkfifo(_local(place) / "metadata/pipe")

    added = {"action": "add-snapshot", "snapshot": snapshot(1, f"{place}/metadata/pipe")}

    assert protocol.commit("t", added).error == (400, "BadRequestException")


BODIES = (
    b"",
    b"{",
    b"[]",
    b'"text"',
    b"null",
    b'{"name": "t"}',
    b'{"name": "t", "schema": 7}',
    b'{"name": "t", "schema": {"type": "struct", "fields": 7}}',
    b'{"name": 7, "schema": {}}',
    b'{"name": "t", "schema": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
    b"[" * 1_000_000,
    b'{"name": "t", "schema": {"type": "struct", "fields": [{"id": 1e400}]}}',
)


def test_bodies_that_make_no_sense_are_a_400(protocol: Protocol) -> None:
    for raw in BODIES:
        for path in ("namespaces", "namespaces/ns/tables", "namespaces/ns/register", "transactions/commit"):
            assert protocol.call("POST", path, raw=raw).error[0] == 400, (path, raw[:40])


def test_a_deep_schema_is_a_400(protocol: Protocol) -> None:
    kind: Any = "long"
    for depth in range(150):
        kind = {"type": "list", "element-id": depth + 10, "element": kind, "element-required": False}
    schema = {**SCHEMA, "fields": [{"id": 1, "name": "deep", "required": False, "type": kind}]}

    answer = protocol.post("namespaces/ns/tables", {"name": "t", "schema": schema})

    assert answer.status in (200, 400)
    if answer.status == 200:
        assert protocol.commit("t", set_properties(a="1")).status == 200


def test_metadata_does_not_grow_beyond_what_is_read(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol.create()
    monkeypatch.setattr(relation_writes, "MAX_READ_BYTES", 20_000)

    refused = protocol.commit("t", set_properties(a="x" * 20_000))

    assert refused.error == (400, "BadRequestException")
    assert "20000 are the most" in refused.message
    assert protocol.commit("t", set_properties(a="x" * 10_000)).status == 200
