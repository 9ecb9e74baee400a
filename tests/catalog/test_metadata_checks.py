from __future__ import annotations

import copy
from typing import Any

import pytest

from catalog.errors import BadCatalogRequest
from catalog.metadata_checks import check_table_metadata, locations_of
from catalog.table_updates import apply_updates, finish_metadata
from tests.catalog.table_factories import LOCATION, NOW, SCHEMA, append, set_ref, table


def full(version: int = 2) -> dict[str, Any]:
    """Return metadata with something in every part."""
    spec = {"fields": [{"source-id": 1, "transform": "bucket[4]", "name": "b"}]}
    held = table(version, **{"partition-spec": spec}, properties={"write.data.path": "file:///warehouse/elsewhere"})
    rows = [{"first-row-id": 10 * i, "added-rows": 10} if version == 3 else {} for i in (0, 1)]
    numbers = {"sequence-number": None} if version == 1 else {}
    updates = [*append(1, **rows[0], **numbers), *append(2, 1, **rows[1], **numbers), set_ref(1, "t", "tag")]
    statistics = {"snapshot-id": 1, "statistics-path": f"{LOCATION}/s", "file-size-in-bytes": 1}
    updates.append({"action": "set-partition-statistics", "partition-statistics": statistics})
    return finish_metadata(
        held, apply_updates(held, updates, now_ms=NOW), old_location=f"{LOCATION}/metadata/0.json", now_ms=NOW
    )


def refusal(metadata: Any) -> tuple[str, str]:
    with pytest.raises(BadCatalogRequest) as caught:
        check_table_metadata(metadata)
    return caught.value.faults[0].pointer, caught.value.detail


@pytest.mark.parametrize("version", [1, 2, 3])
def test_what_is_written_here_passes(version: int) -> None:
    held = full(version) | {"x-field": [1]}
    before = copy.deepcopy(held)

    assert check_table_metadata(held) == before


def test_old_metadata_of_v1_passes() -> None:
    names = ("format-version", "location", "last-updated-ms", "last-column-id", "properties")
    old = {name: full(1)[name] for name in names} | {"schema": SCHEMA, "partition-spec": [], "current-snapshot-id": -1}

    assert check_table_metadata(old | {"table-uuid": None}) == old


def changed(path: str, value: Any) -> dict[str, Any]:
    held = copy.deepcopy(full())
    *around, last = path.strip("/").split("/")
    place: Any = held
    for part in around:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[int(last) if isinstance(place, list) else last] = value
    return held


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/format-version", 4),
        ("/format-version", "2"),
        ("/table-uuid", "mine"),
        ("/location", "/"),
        ("/last-updated-ms", None),
        ("/last-updated-ms", NOW - 100_000),
        ("/last-column-id", 3),
        ("/last-sequence-number", None),
        ("/current-schema-id", 1),
        ("/default-spec-id", 1),
        ("/default-sort-order-id", 7),
        ("/schemas", {}),
        ("/schemas/0", []),
        ("/schemas/0/fields/1/type", "text"),
        ("/partition-specs/0/fields/0/field-id", None),
        ("/partition-specs/0/fields/0/source-id", "1"),
        ("/snapshots/0/sequence-number", 9),
        ("/snapshots/0/snapshot-id", 2**63),
        ("/snapshots/1/manifest-list", None),
        ("/snapshots/1/summary/operation", 5),
        ("/current-snapshot-id", 9),
        ("/refs/main", 9),
        ("/refs/main/type", "tag"),
        ("/refs/main/type", "trunk"),
        ("/refs/main/snapshot-id", 1),
        ("/refs/t/snapshot-id", 7),
        ("/snapshot-log/0/timestamp-ms", NOW + 70_000),
        ("/snapshot-log/0", 3),
        ("/metadata-log/0/metadata-file", 3),
        ("/partition-statistics/0/statistics-path", None),
        ("/properties", {"a": 1}),
    ],
)
def test_what_is_wrong_is_named(path: str, value: Any) -> None:
    pointer, detail = refusal(changed(path, value))

    assert pointer
    assert path.startswith(pointer) or pointer.startswith(path) or path.split("/")[1] in detail


@pytest.mark.parametrize("value", [None, 3, "x", [], [[]]])
def test_what_is_no_object_is_no_metadata(value: Any) -> None:
    refusal(value)


def test_two_of_one_id_are_refused() -> None:
    held = full()

    assert "/schemas" in refusal(held | {"schemas": held["schemas"] * 2})[0]
    assert "already exists" in refusal(held | {"snapshots": held["snapshots"] * 2})[1]


def test_row_ids_lie_below_the_next_one() -> None:
    assert "next-row-id 15" in refusal(full(3) | {"next-row-id": 15})[1]


def test_every_location_is_listed() -> None:
    held = full()
    held["statistics"] = [{"snapshot-id": 1, "statistics-path": f"{LOCATION}/puffin", "file-size-in-bytes": 1}]
    held["snapshots"].append({"snapshot-id": 5, "manifests": [f"{LOCATION}/m1.avro"]})

    assert sorted(locations_of(held)) == sorted(
        [
            LOCATION,
            "file:///warehouse/elsewhere",
            f"{LOCATION}/metadata/snap-1.avro",
            f"{LOCATION}/metadata/snap-2.avro",
            f"{LOCATION}/m1.avro",
            f"{LOCATION}/puffin",
            f"{LOCATION}/s",
            f"{LOCATION}/metadata/0.json",
        ]
    )
