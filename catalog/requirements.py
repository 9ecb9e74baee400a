"""What a commit builds on: checked against what stands.

References
----------
REST catalog specification, `TableRequirement` and `ViewRequirement`; the wordings are the reference implementation's,
because clients match on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from catalog.errors import BadCatalogRequest, CommitFailed
from catalog.json_places import INT32_MAX, Place, check_json, wrong_type
from catalog.table_parts import last_partition_id, refs_of

MAX_REQUIREMENTS: Final = 10_000
# Requirements that compare one number: the field of the requirement, that of the metadata, and what to call it.
_NUMBERS: Final = {
    "assert-last-assigned-field-id": ("last-assigned-field-id", "last-column-id", "last assigned field id"),
    "assert-current-schema-id": ("current-schema-id", "current-schema-id", "current schema"),
    "assert-last-assigned-partition-id": (
        "last-assigned-partition-id",
        "last-partition-id",
        "last assigned partition id",
    ),
    "assert-default-spec-id": ("default-spec-id", "default-spec-id", "default partition spec"),
    "assert-default-sort-order-id": ("default-sort-order-id", "default-sort-order-id", "default sort order"),
}
# These hold for a table that is not there yet, too.
_HOLD_WITHOUT_TABLE: Final = frozenset({"assert-last-assigned-field-id", "assert-last-assigned-partition-id"})


def check_requirements(metadata: Mapping[str, Any] | None, requirements: Sequence[Mapping[str, Any]]) -> None:
    """Check what a commit to a table builds on.

    Parameters
    ----------
    metadata
        The table's; None when there is no such table. Not changed.
    requirements
        Of the request; not changed.

    Raises
    ------
    CommitFailed
        One does not hold.
    BadCatalogRequest
        One is not of the protocol, or goes with no table at all.
    """
    for place, kind in _read(requirements):
        if kind == "assert-create":
            if metadata is not None:
                _failed("table already exists")
        elif kind not in _TABLE_KINDS:
            raise place.fault("type", f"Cannot check the requirement {kind[:100]} against a table.")
        elif metadata is None:
            if kind not in _HOLD_WITHOUT_TABLE:
                _failed("table does not exist")
        else:
            _TABLE_KINDS[kind](metadata, place)


def check_view_requirements(metadata: Mapping[str, Any] | None, requirements: Sequence[Mapping[str, Any]]) -> None:
    """Check what a commit to a view builds on; as `check_requirements`. There is one kind: `assert-view-uuid`."""
    for place, kind in _read(requirements):
        if kind != "assert-view-uuid":
            raise place.fault("type", f"Cannot check the requirement {kind[:100]} against a view.")
        wanted = place.text("uuid")
        if metadata is None:
            _failed("view does not exist")
        if wanted.lower() != str(metadata.get("view-uuid")).lower():
            _failed(f"view UUID does not match: expected {metadata.get('view-uuid')} != {wanted}")


def _read(requirements: object) -> list[tuple[Place, str]]:
    if not isinstance(requirements, list | tuple):
        raise wrong_type("/requirements", requirements, "an array")
    if len(requirements) > MAX_REQUIREMENTS:
        detail = f"{len(requirements)} requirements are more than the {MAX_REQUIREMENTS} of one commit."
        raise BadCatalogRequest(detail, pointer="/requirements")
    check_json(list(requirements), "/requirements")
    places = [Place(one, f"/requirements/{i}") for i, one in enumerate(requirements)]
    return [(place, place.text("type")) for place in places]


def _failed(why: str) -> NoReturn:
    raise CommitFailed(f"Requirement failed: {why}")


def _check_uuid(metadata: Mapping[str, Any], place: Place) -> None:
    wanted = place.text("uuid")
    if wanted.lower() != str(metadata.get("table-uuid")).lower():
        _failed(f"UUID does not match: expected {metadata.get('table-uuid')} != {wanted}")


def _check_ref(metadata: Mapping[str, Any], place: Place) -> None:
    name = place.text("ref")
    wanted = place.optional_integer("snapshot-id")
    ref = refs_of(metadata).get(name)
    if ref is None:
        if wanted is not None:
            _failed(f"branch or tag {name} is missing, expected {wanted}")
    elif wanted is None:
        _failed(f"{ref['type']} {name} was created concurrently")
    elif wanted != ref["snapshot-id"]:
        _failed(f"{ref['type']} {name} has changed: expected id {wanted} != {ref['snapshot-id']}")


def _check_number(metadata: Mapping[str, Any], place: Place) -> None:
    field, stored, what = _NUMBERS[place.text("type")]
    wanted = place.integer(field, -1, INT32_MAX)
    found = last_partition_id(metadata) if stored == "last-partition-id" else metadata.get(stored, 0)
    if wanted != found:
        _failed(f"{what} changed: expected id {wanted} != {found}")


_TABLE_KINDS: Final[dict[str, Callable[[Mapping[str, Any], Place], None]]] = {
    "assert-table-uuid": _check_uuid,
    "assert-ref-snapshot-id": _check_ref,
} | dict.fromkeys(_NUMBERS, _check_number)
