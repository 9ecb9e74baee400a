from __future__ import annotations

from typing import Any

import pytest

from catalog.errors import BadCatalogRequest, CommitFailed
from catalog.requirements import check_requirements, check_view_requirements
from catalog.table_updates import apply_updates
from tests.catalog.table_factories import NOW, UUID, append, set_ref, table

HELD = apply_updates(table(), [*append(2), set_ref(2, "old", "tag")], now_ms=NOW)


def ref(name: str, snapshot_id: int | None) -> dict[str, Any]:
    return {"type": "assert-ref-snapshot-id", "ref": name, "snapshot-id": snapshot_id}


@pytest.mark.parametrize(
    "requirement",
    [
        {"type": "assert-table-uuid", "uuid": UUID.upper()},
        ref("main", 2),
        ref("nobody", None),
        {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 4},
        {"type": "assert-current-schema-id", "current-schema-id": 0},
        {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 999},
        {"type": "assert-default-spec-id", "default-spec-id": 0},
        {"type": "assert-default-sort-order-id", "default-sort-order-id": 0},
    ],
)
def test_what_holds_is_not_remarked_on(requirement: dict[str, Any]) -> None:
    check_requirements(HELD, [requirement])


@pytest.mark.parametrize(
    ("requirement", "why"),
    [
        ({"type": "assert-create"}, "table already exists"),
        (
            {"type": "assert-table-uuid", "uuid": "2cc52516-5e73-41f2-b139-545d41a4e151"},
            f"UUID does not match: expected {UUID} != 2cc52516-5e73-41f2-b139-545d41a4e151",
        ),
        (ref("main", 1), "branch main has changed: expected id 1 != 2"),
        (ref("old", 1), "tag old has changed: expected id 1 != 2"),
        (ref("main", None), "branch main was created concurrently"),
        (ref("nobody", 1), "branch or tag nobody is missing, expected 1"),
        (
            {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 1},
            "last assigned field id changed: expected id 1 != 4",
        ),
        ({"type": "assert-current-schema-id", "current-schema-id": 1}, "current schema changed: expected id 1 != 0"),
        (
            {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 1},
            "last assigned partition id changed: expected id 1 != 999",
        ),
        (
            {"type": "assert-default-spec-id", "default-spec-id": 1},
            "default partition spec changed: expected id 1 != 0",
        ),
        (
            {"type": "assert-default-sort-order-id", "default-sort-order-id": 1},
            "default sort order changed: expected id 1 != 0",
        ),
    ],
)
def test_what_does_not_hold_is_said_in_the_words_clients_know(requirement: dict[str, Any], why: str) -> None:
    with pytest.raises(CommitFailed) as caught:
        check_requirements(HELD, [requirement])

    assert caught.value.detail == f"Requirement failed: {why}"


def test_without_a_table_only_creating_holds() -> None:
    check_requirements(None, [{"type": "assert-create"}])

    with pytest.raises(CommitFailed):
        check_requirements(None, [{"type": "assert-table-uuid", "uuid": UUID}])


def test_a_current_snapshot_without_branches_is_main() -> None:
    check_requirements({name: value for name, value in HELD.items() if name != "refs"}, [ref("main", 2)])


@pytest.mark.parametrize(
    ("requirements", "pointer"),
    [
        ({}, "/requirements"),
        ([1], "/requirements/0"),
        ([{"type": "assert-luck"}], "/requirements/0/type"),
        ([{"type": "assert-view-uuid", "uuid": UUID}], "/requirements/0/type"),
        ([ref("main", 2), {"type": "assert-table-uuid"}], "/requirements/1/uuid"),
        ([{**ref("main", 2), "snapshot-id": 2**63}], "/requirements/0/snapshot-id"),
        ([{"type": "assert-create"}] * 10_001, "/requirements"),
    ],
)
def test_what_is_no_requirement_is_refused_with_its_place(requirements: Any, pointer: str) -> None:
    with pytest.raises(BadCatalogRequest) as caught:
        check_requirements(HELD, requirements)

    assert caught.value.faults[0].pointer == pointer


def test_a_view_is_known_by_its_uuid() -> None:
    view = {"view-uuid": UUID}
    check_view_requirements(view, [{"type": "assert-view-uuid", "uuid": UUID.upper()}])

    with pytest.raises(CommitFailed, match="view UUID does not match"):
        check_view_requirements(view, [{"type": "assert-view-uuid", "uuid": "2cc52516-5e73-41f2-b139-545d41a4e151"}])
    with pytest.raises(BadCatalogRequest):
        check_view_requirements(view, [{"type": "assert-create"}])
