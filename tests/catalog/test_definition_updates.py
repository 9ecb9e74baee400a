from __future__ import annotations

from typing import Any

import pytest

from catalog.errors import BadCatalogRequest
from catalog.table_metadata import empty_table_metadata
from catalog.table_updates import apply_updates, finish_metadata
from tests.catalog.table_factories import (
    LOCATION,
    NOW,
    SCHEMA,
    UUID,
    append,
    column,
    schema_json,
    sort_field,
    table,
)

WIDER = schema_json(*SCHEMA["fields"], column(5, "region", "string"), **{"schema-id": 1})
REGION: dict[str, Any] = {
    "spec-id": 0,
    "fields": [{"source-id": 5, "transform": "identity", "name": "region", "field-id": 1000}],
}


def add_schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"action": "add-schema", "schema": schema}


def current(schema_id: int) -> dict[str, Any]:
    return {"action": "set-current-schema", "schema-id": schema_id}


def add_spec(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"action": "add-spec", "spec": {"spec-id": 9, "fields": list(fields)}}


def default_spec(spec_id: int) -> dict[str, Any]:
    return {"action": "set-default-spec", "spec-id": spec_id}


def add_order(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"action": "add-sort-order", "sort-order": {"order-id": 9, "fields": list(fields)}}


def set_properties(**texts: str) -> dict[str, Any]:
    return {"action": "set-properties", "updates": texts}


def apply(metadata: dict[str, Any], *updates: dict[str, Any]) -> dict[str, Any]:
    return apply_updates(metadata, updates, now_ms=NOW)


def refusal(metadata: dict[str, Any], *updates: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(BadCatalogRequest) as caught:
        apply(metadata, *updates)
    return caught.value.faults[0].pointer, caught.value.detail


def empty(version: int = 2) -> dict[str, Any]:
    return empty_table_metadata(table_uuid=UUID, location=LOCATION, format_version=version, now_ms=NOW)


def test_a_table_is_made_of_updates() -> None:
    new_uuid = "2cc52516-5e73-41f2-b139-545d41a4e151"

    made = apply(
        empty(),
        {"action": "assign-uuid", "uuid": new_uuid},
        {"action": "upgrade-format-version", "format-version": 2},
        add_schema(SCHEMA),
        current(-1),
        add_spec({"source-id": 2, "transform": "day", "name": "at_day"}),
        default_spec(-1),
        add_order(sort_field(1)),
        {"action": "set-default-sort-order", "sort-order-id": -1},
        {"action": "set-location", "location": LOCATION + "/else/"},
        set_properties(owner="me"),
    )

    assert (made["table-uuid"], made["location"], made["properties"]) == (new_uuid, LOCATION + "/else", {"owner": "me"})
    assert made["schemas"] == [SCHEMA]
    assert made["partition-specs"][0]["fields"][0]["field-id"] == made["last-partition-id"] == 1000
    assert (made["last-column-id"], made["default-sort-order-id"]) == (4, 1)


def test_a_table_made_without_a_spec_and_an_order_has_the_plain_ones() -> None:
    made = apply(empty(), add_schema(SCHEMA))

    assert made["partition-specs"] == [{"spec-id": 0, "fields": []}]
    assert made["sort-orders"] == [{"order-id": 0, "fields": []}]


def test_a_table_without_a_schema_is_none() -> None:
    assert "without a schema" in refusal(empty(), set_properties(a="b"))[1]


def test_the_spec_may_come_before_its_schema_is_the_current_one() -> None:
    """DuckDB sends them in this order."""
    made = apply(table(), add_schema(WIDER), add_spec(*REGION["fields"]), current(1), default_spec(-1))

    assert made["partition-specs"][1] == {**REGION, "spec-id": 1}


def test_a_default_spec_whose_column_is_not_in_the_current_schema_is_refused() -> None:
    assert (
        "Cannot find source column"
        in refusal(table(), add_schema(WIDER), add_spec(*REGION["fields"]), default_spec(-1))[1]
    )


def test_what_is_there_already_is_found_again() -> None:
    twice = [add_schema(WIDER), current(-1), add_spec(*REGION["fields"]), default_spec(-1), add_order(sort_field(5))]
    once = apply(table(), *twice)

    assert apply(once, *twice) == once
    assert [len(once[name]) for name in ("schemas", "partition-specs", "sort-orders")] == [2, 2, 2]


def test_null_and_absent_are_the_same_schema() -> None:
    spelt = schema_json(*({**one, "doc": None} for one in SCHEMA["fields"]), **{"identifier-field-ids": []})
    held = table()

    assert apply(held, add_schema(spelt), current(-1)) == held


def test_one_commit_may_go_back_to_a_schema_it_found_again() -> None:
    held = apply(table(), add_schema(WIDER), current(1))

    assert apply(held, add_schema(SCHEMA), current(-1))["current-schema-id"] == 0


def test_partition_ids_are_those_of_the_same_column_and_transform_and_never_used_twice() -> None:
    day, bucket = (
        {"source-id": 2, "transform": "day", "name": "d"},
        {"source-id": 1, "transform": "bucket[4]", "name": "b"},
    )
    held = apply(table(), add_spec(day), add_spec(bucket), add_spec(bucket, day))

    assert [[one["field-id"] for one in spec["fields"]] for spec in held["partition-specs"]] == [
        [],
        [1000],
        [1001],
        [1001, 1000],
    ]
    assert held["last-partition-id"] == 1001


def test_v1_wants_partition_ids_in_sequence() -> None:
    spec = {"source-id": 1, "transform": "identity", "name": "p", "field-id": 1005}

    assert "sequential" in refusal(table(1), add_spec(spec))[1]


def test_v1_keeps_the_single_spelling_in_line() -> None:
    held = apply(table(1), add_schema(WIDER), current(-1), add_spec(*REGION["fields"]), default_spec(-1))

    assert held["schema"] == held["schemas"][1]
    assert held["partition-spec"] == held["partition-specs"][1]["fields"]


def test_old_metadata_of_v1_is_brought_to_v2() -> None:
    held = table(1)
    old = {name: held[name] for name in held if name not in ("schemas", "partition-specs", "sort-orders", "refs")}
    old |= {"last-partition-id": None, "schema": SCHEMA, "partition-spec": [REGION["fields"][0] | {"source-id": 1}]}

    upgraded = apply(old, {"action": "upgrade-format-version", "format-version": 2})

    assert upgraded["schemas"] == [SCHEMA]
    assert upgraded["partition-specs"][0]["fields"] == old["partition-spec"]
    assert (upgraded["last-sequence-number"], upgraded["last-partition-id"]) == (0, 1000)
    assert "schema" not in upgraded
    assert "partition-spec" not in upgraded


def test_versions_only_grow() -> None:
    upgrade = {"action": "upgrade-format-version", "format-version": 3}

    assert apply(table(), upgrade)["next-row-id"] == 0
    assert "current-snapshot-id" not in apply(table(), upgrade)
    assert refusal(table(3), {**upgrade, "format-version": 2}) == (
        "/updates/0/format-version",
        "Cannot downgrade v3 table to v2",
    )
    assert "unsupported format version: v4 (supported: v3)" in refusal(table(), {**upgrade, "format-version": 4})[1]


def test_reserved_properties_are_no_properties() -> None:
    held = apply(table(), {"action": "set-properties", "updates": {"uuid": "x", "snapshot-count": "3", "a": "1"}})

    assert held["properties"] == table()["properties"] | {"a": "1"}
    assert apply(table(), {"action": "set-properties", "updates": {"format-version": "3"}})["format-version"] == 3
    downgrade = {"action": "set-properties", "updates": {"format-version": "1"}}
    assert refusal(table(), downgrade) == ("/updates/0/updates/format-version", "Cannot downgrade v2 table to v1")


def test_removing_is_quiet_about_what_is_not_there() -> None:
    held = table()
    assert apply(held, {"action": "remove-properties", "removals": ["nobody"]}) == held
    assert apply(held, {"action": "remove-schemas", "schema-ids": [7]}) == held
    assert apply(held, {"action": "remove-partition-specs", "spec-ids": [7]}) == held


def test_what_is_in_use_is_not_removed() -> None:
    held = apply(table(), *append(1), add_schema(WIDER), current(-1))

    assert refusal(held, {"action": "remove-schemas", "schema-ids": [1]})[1] == "Cannot remove the current schema"
    assert "snapshot 1 has it" in refusal(held, {"action": "remove-schemas", "schema-ids": [0]})[1]
    spec = {"action": "remove-partition-specs", "spec-ids": [0]}
    assert refusal(held, spec)[1] == "Cannot remove the default partition spec"
    gone = apply(
        held, {"action": "remove-snapshots", "snapshot-ids": [1]}, {"action": "remove-schemas", "schema-ids": [0]}
    )
    assert [one["schema-id"] for one in gone["schemas"]] == [1]


def test_keys_of_encrypted_tables_are_kept() -> None:
    key = {"key-id": "k", "encrypted-key-metadata": "c2VjcmV0", "properties": {"a": "b"}}
    add = {"action": "add-encryption-key", "encryption-key": key}

    held = apply(table(3), add, add)

    assert held["encryption-keys"] == [key]
    assert apply(held, {"action": "remove-encryption-key", "key-id": "k"})["encryption-keys"] == []
    assert "not supported until v3" in refusal(table(2), add)[1]


def test_fields_nobody_knows_are_kept() -> None:
    held = table() | {"x-field": {"deep": [1]}}
    known = schema_json(column(1, "id", required=True, **{"x-column": 1}), **{"x-schema": 2})

    changed = apply(held, add_schema(known), set_properties(a="1"))

    assert changed["x-field"] == {"deep": [1]}
    assert changed["schemas"][1] == {**known, "schema-id": 1}


@pytest.mark.parametrize(
    ("update", "detail"),
    [
        (current(-1), "Cannot set last added schema: no schema has been added"),
        (current(5), "Cannot set current schema to unknown schema: 5"),
        (default_spec(-1), "Cannot set last added spec: no spec has been added"),
        (default_spec(5), "Cannot set default partition spec to unknown spec: 5"),
        (
            {"action": "set-default-sort-order", "sort-order-id": -1},
            "Cannot set last added sort order: no sort order has been added",
        ),
        (
            {"action": "assign-uuid", "uuid": "2cc52516-5e73-41f2-b139-545d41a4e151"},
            f"Cannot reassign uuid: {UUID} to ",
        ),
    ],
)
def test_what_the_table_does_not_allow_is_said_in_known_words(update: dict[str, Any], detail: str) -> None:
    assert refusal(table(), update)[1].startswith(detail)


def test_the_log_of_metadata_files_is_as_long_as_its_owner_says() -> None:
    held = apply(table(), {"action": "set-properties", "updates": {"write.metadata.previous-versions-max": "3"}})
    for i in range(5):
        held = finish_metadata(held, dict(held), old_location=f"{i}.json", now_ms=NOW + i)

    assert [one["metadata-file"] for one in held["metadata-log"]] == ["2.json", "3.json", "4.json"]
    assert held["last-updated-ms"] == NOW + 4


def test_time_never_goes_back() -> None:
    held = finish_metadata(table(), apply(table(), *append(5000)), old_location="0.json", now_ms=NOW - 10_000)

    assert held["last-updated-ms"] == NOW + 5000
    assert held["metadata-log"] == [{"timestamp-ms": NOW, "metadata-file": "0.json"}]
    assert finish_metadata(None, table(), old_location=None, now_ms=NOW + 1)["metadata-log"] == []
