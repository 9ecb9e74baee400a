"""Whatever a client sends, the answer is an error it can act on, or metadata that everybody can read."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.table.metadata import TableMetadataUtil

from catalog import table_state
from catalog.errors import BadCatalogRequest
from catalog.metadata_checks import check_table_metadata, locations_of
from catalog.requirements import check_requirements
from catalog.summaries import facts_of, snapshots_view
from catalog.table_metadata import empty_table_metadata, new_table_metadata
from catalog.table_updates import apply_updates, finish_metadata
from catalog.view_metadata import apply_view_updates, check_view_metadata, new_view_metadata
from lakehouse_site.errors import LakehouseError
from tests.catalog.table_factories import (
    LOCATION,
    NOW,
    SCHEMA,
    UUID,
    append,
    column,
    request,
    set_ref,
    sort_field,
    table,
)
from tests.catalog.test_metadata_checks import full
from tests.catalog.test_snapshot_updates import STATISTICS
from tests.catalog.test_view_metadata import replace, version, view

WORDS = st.sampled_from(
    [
        "",
        "main",
        "branch",
        "tag",
        "struct",
        "list",
        "map",
        "int",
        "decimal(3,2)",
        "fields",
        "type",
        "-1",
        "\0",
        "\ud800",
    ]
)
NUMBERS = st.sampled_from([-1, 0, 1, 2, 3, 7, 999, 1000, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30, 0.5, float("nan")])
LEAVES = st.none() | st.booleans() | NUMBERS | WORDS
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3))
STATS = {
    **STATISTICS,
    "blob-metadata": [{"type": "apache-datasketches-theta-v1", "snapshot-id": 1, "sequence-number": 1, "fields": [1]}],
}
KEY = {"key-id": "k", "encrypted-key-metadata": "x", "properties": {"a": "b"}}
SPEC = {"spec-id": 0, "fields": [{"source-id": 1, "transform": "bucket[3]", "name": "b", "field-id": 1000}]}
ORDER = {"order-id": 1, "fields": [sort_field(1), sort_field(2, "day")]}
IDENTIFIED = {**SCHEMA, "identifier-field-ids": [1]}
UPDATES: list[dict[str, Any]] = [
    {"action": "assign-uuid", "uuid": UUID},
    {"action": "upgrade-format-version", "format-version": 3},
    {"action": "add-schema", "schema": IDENTIFIED},
    {"action": "set-current-schema", "schema-id": -1},
    {"action": "add-spec", "spec": SPEC},
    {"action": "set-default-spec", "spec-id": -1},
    {"action": "add-sort-order", "sort-order": ORDER},
    {"action": "set-default-sort-order", "sort-order-id": -1},
    *append(1, **{"first-row-id": 0, "added-rows": 5}),
    *append(2, 1, **{"first-row-id": 5, "added-rows": 5}),
    set_ref(1, "t", "tag", **{"max-ref-age-ms": 5}),
    {"action": "set-statistics", "statistics": STATS},
    {"action": "set-partition-statistics", "partition-statistics": STATISTICS},
    {"action": "add-encryption-key", "encryption-key": KEY},
    {"action": "set-location", "location": LOCATION + "/b"},
    {"action": "set-properties", "updates": {"a": "1", "write.metadata.previous-versions-max": "x"}},
    {"action": "remove-properties", "removals": ["a"]},
    {"action": "remove-snapshots", "snapshot-ids": [1]},
    {"action": "remove-statistics", "snapshot-id": 1},
    {"action": "remove-partition-statistics", "snapshot-id": 2},
    {"action": "remove-snapshot-ref", "ref-name": "t"},
    {"action": "remove-schemas", "schema-ids": [5]},
    {"action": "remove-partition-specs", "spec-ids": [5]},
    {"action": "remove-encryption-key", "key-id": "k"},
]
REQUIREMENTS: list[dict[str, Any]] = [
    {"type": "assert-table-uuid", "uuid": UUID},
    {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 2},
    {"type": "assert-default-spec-id", "default-spec-id": 0},
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in JSON: what it is in, and its name there."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in entries:
        yield value, name
        yield from places(inner)


@st.composite
def spoilt(draw: st.DrawFn, sample: Any) -> Any:
    """Return a copy with other JSON, or nothing, in one or two places."""
    body = {"root": copy.deepcopy(sample)}
    for _ in range(draw(st.integers(1, 2))):
        around, name = draw(st.sampled_from(list(places(body))))
        if isinstance(around, dict) and name != "root" and draw(st.booleans()):
            del around[name]
        else:
            around[name] = draw(JSON)
    return body["root"]


def starts() -> list[dict[str, Any]]:
    empty = empty_table_metadata(table_uuid=UUID, location=LOCATION, format_version=2, now_ms=NOW)
    return [empty, full(1), full(2), full(3)]


STARTS = starts()


def test_the_sample_itself_is_taken() -> None:
    made = apply_updates(STARTS[0], UPDATES, now_ms=NOW)

    assert (made["format-version"], made["next-row-id"], len(made["snapshots"])) == (3, 10, 1)
    assert TableMetadataUtil.parse_raw(orjson.dumps(made).decode()).format_version == 3


@settings(max_examples=90, deadline=None)
@given(spoilt(UPDATES) | st.lists(JSON) | JSON, st.sampled_from(range(len(STARTS))))
def test_updates_are_refused_or_leave_a_whole_table(updates: Any, start: int) -> None:
    before = copy.deepcopy(STARTS[start])
    try:
        made = apply_updates(STARTS[start], updates, now_ms=NOW)
    except LakehouseError:
        made = before
    else:
        made = finish_metadata(before, made, old_location="file:///warehouse/t/0.json", now_ms=NOW)
        assert check_table_metadata(orjson.loads(orjson.dumps(made))) == made
    assert STARTS[start] == before


@settings(max_examples=40, deadline=None)
@given(spoilt(request(2, schema=IDENTIFIED, **{"partition-spec": SPEC, "write-order": ORDER})))
def test_a_request_is_refused_or_makes_a_whole_table(body: Any) -> None:
    try:
        made = new_table_metadata(body, table_uuid=UUID, location=LOCATION, now_ms=NOW)
    except LakehouseError:
        return
    assert check_table_metadata(orjson.loads(orjson.dumps(made))) == made


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([1, 2, 3]).flatmap(lambda number: spoilt(STARTS[number])))
def test_metadata_that_passes_can_be_worked_with(metadata: Any) -> None:
    try:
        checked = check_table_metadata(metadata)
    except LakehouseError:
        return
    facts_of(checked)
    assert all(isinstance(one, str) for one in locations_of(checked))
    assert snapshots_view(checked, "refs")["location"] == checked["location"]
    for work in (
        lambda: check_requirements(checked, REQUIREMENTS),
        lambda: apply_updates(checked, UPDATES[2:8], now_ms=NOW),
        lambda: apply_updates(checked, UPDATES[-8:], now_ms=NOW),
    ):
        try:
            work()
        except LakehouseError:
            continue


@settings(max_examples=30, deadline=None)
@given(spoilt(REQUIREMENTS) | JSON)
def test_requirements_hold_or_are_refused(requirements: Any) -> None:
    try:
        check_requirements(STARTS[2], requirements)
    except LakehouseError:
        return


VIEW_REQUEST = {"name": "v", "schema": SCHEMA, "view-version": version(), "properties": {"a": "b"}}
VIEW_UPDATES = [*replace("select 2", schema=IDENTIFIED), {"action": "set-properties", "updates": {"a": "1"}}]


@settings(max_examples=40, deadline=None)
@given(spoilt(VIEW_REQUEST), spoilt(VIEW_UPDATES), spoilt(view()))
def test_views_are_refused_or_whole(body: Any, updates: Any, metadata: Any) -> None:
    makes: list[Callable[[], dict[str, Any]]] = [
        lambda: new_view_metadata(body, view_uuid=UUID, location=LOCATION, now_ms=NOW),
        lambda: apply_view_updates(view(), updates, now_ms=NOW),
        lambda: apply_view_updates(check_view_metadata(metadata), VIEW_UPDATES, now_ms=NOW),
    ]
    for make in makes:
        try:
            made = make()
        except LakehouseError:
            continue
        assert check_view_metadata(orjson.loads(orjson.dumps(made))) == made


def test_a_million_updates_are_refused_at_once() -> None:
    with pytest.raises(BadCatalogRequest) as caught:
        apply_updates(STARTS[2], [{"action": "remove-properties", "removals": []}] * 1_000_000, now_ms=NOW)

    assert caught.value.faults[0].pointer == "/updates"


def test_deep_json_is_refused_wherever_it_is() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(BadCatalogRequest, match="nested deeper"):
        apply_updates(STARTS[2], [{"action": "remove-properties", "removals": deep}], now_ms=NOW)
    with pytest.raises(BadCatalogRequest, match="nested deeper"):
        check_table_metadata(STARTS[2] | {"x": deep})
    with pytest.raises(BadCatalogRequest, match="nested deeper"):
        check_requirements(STARTS[2], [{"type": "assert-create", "x": deep}])


def test_each_definition_is_read_a_few_times_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    read: Counter[str] = Counter()
    for name in ("schema_key", "spec_key", "order_key", "partition_ids"):
        counted = getattr(table_state, name)

        def work(content: Any, name: str = name, counted: Any = counted) -> Any:
            read[name] += 1
            return counted(content)

        monkeypatch.setattr(table_state, name, work)
    order = {"order-id": 1, "direction": "asc", "null-order": "nulls-first"}
    updates = []
    for i in range(50):
        fields = [column(1, "id"), column(2, f"c{i}")]
        key = {"source-id": 1, "transform": f"bucket[{i + 1}]"}
        updates += [
            {"action": "add-schema", "schema": {"type": "struct", "fields": fields}},
            {"action": "add-spec", "spec": {"fields": [{**key, "name": f"p{i}"}]}},
            {"action": "add-sort-order", "sort-order": {**order, "fields": [{**key, **order}]}},
        ]

    once = apply_updates(table(), updates, now_ms=1)
    apply_updates(once, updates, now_ms=2)

    assert len(once["schemas"]) == len(once["partition-specs"]) == len(once["sort-orders"]) == 51
    assert max(read.values()) < 4 * 100
