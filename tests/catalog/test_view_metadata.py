from __future__ import annotations

import copy
from typing import Any

import pytest

from catalog.errors import BadCatalogRequest
from catalog.view_metadata import apply_view_updates, check_view_metadata, new_view_metadata
from tests.catalog.table_factories import NOW, UUID, column, schema_json

PLACE = "file:///warehouse/v"
SCHEMA = schema_json(column(7, "n"))


def version(sql: Any = "select 1 as n", *dialects: str, **more: Any) -> dict[str, Any]:
    return {
        "version-id": 1,
        "timestamp-ms": NOW - 5,
        "schema-id": -1,
        "summary": {"engine-name": "spark"},
        "default-namespace": ["ns"],
        "representations": [{"type": "sql", "sql": sql, "dialect": one} for one in dialects or ("spark",)],
        **more,
    }


def view(**more: Any) -> dict[str, Any]:
    request = {"name": "v", "schema": SCHEMA, "view-version": version(**{"schema-id": 0}), **more}
    return new_view_metadata(request, view_uuid=UUID, location=PLACE + "/", now_ms=NOW)


def replace(sql: str, *dialects: str, schema: Any = SCHEMA, **more: Any) -> list[dict[str, Any]]:
    return [
        {"action": "add-schema", "schema": schema},
        {"action": "add-view-version", "view-version": version(sql, *dialects, **more)},
        {"action": "set-current-view-version", "view-version-id": -1},
    ]


def apply(metadata: dict[str, Any], *updates: dict[str, Any]) -> dict[str, Any]:
    before = copy.deepcopy(metadata)
    changed = apply_view_updates(metadata, updates, now_ms=NOW)
    assert metadata == before
    return changed


def refusal(metadata: dict[str, Any], *updates: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(BadCatalogRequest) as caught:
        apply(metadata, *updates)
    return caught.value.faults[0].pointer, caught.value.detail


def test_a_new_view_has_one_version() -> None:
    made = view(properties={"owner": "me"})

    assert made == {
        "view-uuid": UUID,
        "format-version": 1,
        "location": PLACE,
        "schemas": [SCHEMA],
        "current-version-id": 1,
        "versions": [version(**{"schema-id": 0})],
        "version-log": [{"timestamp-ms": NOW - 5, "version-id": 1}],
        "properties": {"owner": "me"},
    }
    assert check_view_metadata(made) == made


def test_replacing_adds_a_version_and_history() -> None:
    held = apply(view(), *replace("select 2 as n"))

    assert (held["current-version-id"], len(held["schemas"])) == (2, 1)
    assert [one["version-id"] for one in held["version-log"]] == [1, 2]
    assert held["versions"][1] == version("select 2 as n", **{"version-id": 2, "schema-id": 0})


def test_the_same_version_is_found_again() -> None:
    held = apply(view(), *replace("select 2 as n"))

    back = apply(held, *replace("select 1 as n", **{"timestamp-ms": NOW - 1}))

    assert (back["current-version-id"], len(back["versions"])) == (1, 2)
    assert back["version-log"][-1] == {"timestamp-ms": NOW, "version-id": 1}
    assert apply(held, *replace("select 2 as n")) == held


def test_a_dialect_is_not_lost_by_mistake() -> None:
    held = apply(view(), *replace("select 2 as n", "spark", "trino"))

    assert "loss of view dialects (replace.drop-dialect-allowed=false)" in refusal(held, *replace("select 3 as n"))[1]
    allowed = {"action": "set-properties", "updates": {"replace.drop-dialect-allowed": "true"}}
    assert apply(held, allowed, *replace("select 3 as n"))["current-version-id"] == 3


def test_only_so_many_versions_are_kept() -> None:
    held = apply(view(), {"action": "set-properties", "updates": {"version.history.num-entries": "3"}})
    for i in range(6):
        held = apply(held, *replace(f"select {i + 10} as n"))

    assert [one["version-id"] for one in held["versions"]] == [5, 6, 7]
    assert [one["version-id"] for one in held["version-log"]] == [5, 6, 7]


def test_location_properties_and_unknown_fields() -> None:
    held = apply(
        view() | {"x-field": 1},
        {"action": "set-location", "location": PLACE + "2/"},
        {"action": "set-properties", "updates": {"a": "1", "b": "2"}},
        {"action": "remove-properties", "removals": ["a", "nobody"]},
        {"action": "assign-uuid", "uuid": UUID.upper()},
        {"action": "upgrade-format-version", "format-version": 1},
    )

    assert (held["location"], held["properties"], held["x-field"]) == (PLACE + "2", {"b": "2"}, 1)


@pytest.mark.parametrize(
    ("update", "pointer", "words"),
    [
        (replace("x", "spark", "SPARK")[1], "/updates/0/view-version/representations/1/dialect", "multiple queries"),
        (replace("x")[1], "/updates/0/view-version/schema-id", "no schema has been added"),
        (replace("x", **{"schema-id": 9})[1], "/updates/0/view-version/schema-id", "unknown schema: 9"),
        (replace("x", representations=[])[1], "/updates/0/view-version/representations", "without specifying a query"),
        (
            replace("x", representations=[{"type": "wasm"}])[1],
            "/updates/0/view-version/representations/0/type",
            "unsupported view representations",
        ),
        (
            {"action": "set-current-view-version", "view-version-id": 9},
            "/updates/0/view-version-id",
            "unknown",
        ),
        (
            {"action": "set-current-view-version", "view-version-id": -1},
            "/updates/0/view-version-id",
            "no current version id has been set",
        ),
        ({"action": "assign-uuid", "uuid": PLACE}, "/updates/0/uuid", "no UUID"),
        ({"action": "upgrade-format-version", "format-version": 2}, "/updates/0/format-version", "Unsupported"),
        ({"action": "add-snapshot"}, "/updates/0/action", "to a view"),
        ({"action": "set-properties", "updates": {"version.history.num-entries": "0"}}, "/updates", "must be positive"),
    ],
)
def test_what_the_view_does_not_allow_is_refused(update: dict[str, Any], pointer: str, words: str) -> None:
    found = refusal(view(), update)

    assert found[0] == pointer
    assert words in found[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"format-version": 2},
        {"view-uuid": "x"},
        {"location": None},
        {"current-version-id": 7},
        {"schemas": []},
        {"versions": [version(), version()]},
        {"versions": []},
        {"version-log": [3]},
    ],
)
def test_metadata_of_others_is_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadCatalogRequest):
        check_view_metadata(view() | wrong)
