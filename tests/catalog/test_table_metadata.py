from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from pyiceberg.partitioning import PartitionField, PartitionSpec, assign_fresh_partition_spec_ids
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table.metadata import TableMetadataUtil
from pyiceberg.transforms import BucketTransform

from catalog.errors import BadCatalogRequest
from catalog.table_metadata import empty_table_metadata, new_table_metadata, requested_format_version
from tests.catalog.table_factories import LOCATION, NOW, SCHEMA, UUID, column, request, schema_json, sort_field, table

NESTED = schema_json(
    column(9, "s", {"type": "struct", "fields": [column(3, "x", "int"), column(4, "y", "string")]}, required=True),
    column(
        2,
        "m",
        {
            "type": "map",
            "key-id": 30,
            "key": "string",
            "value-id": 31,
            "value": {"type": "struct", "fields": [column(40, "deep", "date")]},
            "value-required": False,
        },
    ),
    column(1, "l", {"type": "list", "element-id": 50, "element": "long", "element-required": True}),
    column(7, "key", "long", required=True),
    **{"identifier-field-ids": [7]},
)


def refused(**more: Any) -> BadCatalogRequest:
    with pytest.raises(BadCatalogRequest) as caught:
        table(**more)
    return caught.value


def test_ids_are_given_anew_in_the_order_of_the_reference_implementation() -> None:
    theirs = assign_fresh_schema_ids(Schema.model_validate(NESTED))
    ours = table(schema=NESTED)

    assert Schema.model_validate(ours["schemas"][0]) == theirs
    assert ours["schemas"][0]["identifier-field-ids"] == [4]
    assert ours["last-column-id"] == theirs.highest_field_id == 10


def test_partitions_and_sort_orders_follow_their_columns() -> None:
    spec = {"spec-id": 7, "fields": [{"source-id": 7, "field-id": 1, "transform": "bucket[8]", "name": "key_bucket"}]}
    order = {"order-id": 5, "fields": [sort_field(3)]}

    made = table(schema=NESTED, **{"partition-spec": spec, "write-order": order})

    old = Schema.model_validate(NESTED)
    theirs = assign_fresh_partition_spec_ids(
        PartitionSpec(PartitionField(7, 1, BucketTransform(8), "key_bucket")), old, assign_fresh_schema_ids(old)
    )
    assert PartitionSpec.model_validate(made["partition-specs"][0]) == theirs
    assert made["sort-orders"] == [{"order-id": 1, "fields": [sort_field(5)]}]
    assert (made["default-sort-order-id"], made["last-partition-id"]) == (1, 1000)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_new_table_is_one_that_pyiceberg_reads(version: int) -> None:
    made = table(version, properties={"owner": "me", "uuid": "mine", "snapshot-count": "4"})

    read = TableMetadataUtil.parse_raw(json.dumps(made))

    assert read.format_version == version
    assert read.current_snapshot() is None
    assert read.properties == {"owner": "me", "write.parquet.compression-codec": "zstd"}
    assert ("schema" in made, "next-row-id" in made, "last-sequence-number" in made) == (
        version == 1,
        version == 3,
        version > 1,
    )


def test_the_request_is_not_changed() -> None:
    body = request(schema=NESTED)
    before = copy.deepcopy(body)

    new_table_metadata(body, table_uuid=UUID, location=LOCATION, now_ms=NOW)

    assert body == before


def test_v2_is_the_default_and_the_location_has_no_slash_at_its_end() -> None:
    made = new_table_metadata({"schema": SCHEMA}, table_uuid=UUID, location=LOCATION + "/", now_ms=NOW)

    assert (made["format-version"], made["location"]) == (2, LOCATION)


@pytest.mark.parametrize("version", ["0", "4", "-1", "x", "²", "9" * 5000, "1.0"])
def test_other_format_versions_are_refused(version: str) -> None:
    error = refused(properties={"format-version": version})

    assert error.faults[0].pointer == "/properties/format-version"


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        (None, "/schema"),
        ([], "/schema"),
        ({"type": "list", "fields": []}, "/schema/type"),
        ({"type": "struct"}, "/schema/fields"),
        (schema_json(column(1, "a", "nonsense")), "/schema/fields/0/type"),
        (schema_json(column(1, "a", "decimal(39, 2)")), "/schema/fields/0/type"),
        (schema_json(column(1, "a", "timestamp_ns")), "/schema"),
        (schema_json(column(1, "a"), column(1, "b")), "/schema/fields/1/type"),
        (schema_json(column(1, "a"), column(2, "a")), "/schema/fields/1/type"),
        (schema_json(column(2**31, "a")), "/schema/fields/0/id"),
        (schema_json(column(1, "a", {"type": "list"})), "/schema/fields/0/type/element-required"),
        (schema_json(column(1, "a", required=None)), "/schema/fields/0/required"),
        (schema_json(column(1, "a"), **{"identifier-field-ids": [1]}), "/schema/identifier-field-ids/0"),
        (schema_json(column(1, "a"), **{"identifier-field-ids": [9]}), "/schema/identifier-field-ids/0"),
    ],
)
def test_a_schema_that_is_none_is_refused_with_its_place(schema: Any, pointer: str) -> None:
    assert refused(schema=schema).faults[0].pointer == pointer


def test_types_of_v3_are_taken_by_v3() -> None:
    kinds = ["timestamp_ns", "timestamptz_ns", "variant", "unknown", "geometry(srid:4326)", "geography"]
    columns = [column(i + 1, f"c{i}", kind) for i, kind in enumerate(kinds)]

    made = table(3, schema=schema_json(*columns, column(9, "d", "int", **{"initial-default": 3})))

    assert [one["type"] for one in made["schemas"][0]["fields"]] == [*kinds, "int"]
    assert "v3" in refused(schema=schema_json(column(9, "d", "int", **{"initial-default": 3}))).detail


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"source-id": 99, "transform": "identity", "name": "p"}, "Cannot find source column"),
        ({"source-id": 4, "transform": "bucket[3]", "name": "p"}, "Invalid source type double for transform: bucket"),
        ({"source-id": 3, "transform": "day", "name": "p"}, "Invalid source type string for transform: day"),
        ({"source-id": 3, "transform": "bucket[0]", "name": "p"}, "Cannot parse transform: bucket[0]"),
        ({"source-id": 2, "transform": "day", "name": "name"}, "different field in schema: name"),
    ],
)
def test_a_partition_that_cannot_be_is_refused(field: dict[str, Any], words: str) -> None:
    assert words in refused(**{"partition-spec": {"fields": [field]}}).detail


def test_deep_json_is_refused_and_not_walked_into() -> None:
    kind: Any = "int"
    for i in range(100_000):
        kind = {"type": "list", "element-id": i + 2, "element": kind, "element-required": False}

    assert "nested deeper" in refused(schema=schema_json(column(1, "a", kind))).detail


def test_what_a_creating_commit_begins_with_has_the_version_it_asks_for() -> None:
    updates: list[dict[str, Any]] = [
        {"action": "assign-uuid"},
        {"action": "upgrade-format-version", "format-version": 3},
    ]

    assert requested_format_version(updates) == 3
    assert requested_format_version([]) == 2
    assert empty_table_metadata(table_uuid=UUID, location=LOCATION, format_version=3, now_ms=1)["next-row-id"] == 0
