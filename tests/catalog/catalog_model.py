"""A catalog as the protocol describes one, in dictionaries: what each call has to answer, said a second time."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = Any
Levels = tuple[str, ...]
Expected = tuple[int, Any]
"""The status, and the type of the error or what the answer has to hold."""

NO_NAMESPACE = (404, "NoSuchNamespaceException")
NO_TABLE = (404, "NoSuchTableException")
NO_VIEW = (404, "NoSuchViewException")
TAKEN = (409, "AlreadyExistsException")
FAILED = (409, "CommitFailedException")
BAD = (400, "BadRequestException")
CONTRADICTION = (422, "UnprocessableEntityException")
NOT_EMPTY = (409, "NamespaceNotEmptyException")


@dataclass
class Table:
    """What a table is, as far as the model knows: the columns of each schema by id, and what counts up."""

    kind: str = "table"
    uuid: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    schemas: list[list[str]] = field(default_factory=lambda: [["id"]])
    current_schema: int = 0
    last_column: int = 1
    snapshots: list[int] = field(default_factory=list)
    refs: dict[str, int] = field(default_factory=dict)
    sql: list[str] = field(default_factory=list)


class CatalogModel:
    """Namespaces and what is in them; each method answers as the server has to."""

    def __init__(self) -> None:
        self.spaces: dict[Levels, dict[str, str]] = {}
        self.tables: dict[tuple[Levels, str], Table] = {}

    def create_namespace(self, levels: Levels, properties: dict[str, str]) -> Expected:
        if levels in self.spaces:
            return TAKEN
        for depth in range(1, len(levels)):
            self.spaces.setdefault(levels[:depth], {})
        self.spaces[levels] = dict(properties)
        return 200, {"namespace": list(levels), "properties": dict(properties)}

    def get_namespace(self, levels: Levels) -> Expected:
        if levels not in self.spaces:
            return NO_NAMESPACE
        return 200, {"namespace": list(levels), "properties": self.spaces[levels]}

    def drop_namespace(self, levels: Levels) -> Expected:
        if levels not in self.spaces:
            return NO_NAMESPACE
        below = [one for one in self.spaces if one != levels and one[: len(levels)] == levels]
        if below or any(space == levels for space, _ in self.tables):
            return NOT_EMPTY
        del self.spaces[levels]
        return 204, None

    def list_namespaces(self, parent: Levels) -> Expected:
        if parent and parent not in self.spaces:
            return NO_NAMESPACE
        found = [one for one in self.spaces if len(one) == len(parent) + 1 and one[: len(parent)] == parent]
        return 200, {"namespaces": [list(one) for one in sorted(found)]}

    def update_namespace(self, levels: Levels, removals: list[str], updates: dict[str, str]) -> Expected:
        if set(removals) & set(updates):
            return CONTRADICTION
        if levels not in self.spaces:
            return NO_NAMESPACE
        held = self.spaces[levels]
        removed = [key for key in removals if held.pop(key, None) is not None]
        held.update(updates)
        missing = [key for key in removals if key not in removed]
        return 200, {"updated": list(updates), "removed": removed, "missing": missing}

    def list_relations(self, levels: Levels, kind: str) -> Expected:
        if levels not in self.spaces:
            return NO_NAMESPACE
        names = sorted(name for (space, name), one in self.tables.items() if space == levels and one.kind == kind)
        return 200, {"identifiers": [{"namespace": list(levels), "name": name} for name in names]}

    def create(self, levels: Levels, name: str, table: Table) -> Expected:
        if levels not in self.spaces:
            return NO_NAMESPACE
        if (levels, name) in self.tables:
            return TAKEN
        self.tables[levels, name] = table
        return 200, table

    def load(self, levels: Levels, name: str, kind: str) -> Expected:
        found = self.tables.get((levels, name))
        if found is None or found.kind != kind:
            return NO_TABLE if kind == "table" else NO_VIEW
        return 200, found

    def drop(self, levels: Levels, name: str, kind: str) -> Expected:
        status, found = self.load(levels, name, kind)
        if status != 200:
            return status, found
        del self.tables[levels, name]
        return 204, None

    def rename(self, source: tuple[Levels, str], destination: tuple[Levels, str], kind: str) -> Expected:
        status, found = self.load(*source, kind)
        if status != 200:
            return status, found
        if destination[0] not in self.spaces:
            return NO_NAMESPACE
        if destination in self.tables:
            return TAKEN
        self.tables[destination] = self.tables.pop(source)
        return 204, None

    def commit(self, changes: list[tuple[Levels, str, list[Json], list[Json]]]) -> Expected:
        """All of the changes or none."""
        after = dict(self.tables)
        for levels, name, requirements, updates in changes:
            status, found = self.load(levels, name, "table")
            if status != 200:
                return status, found
            if not all(_holds(found, one) for one in requirements):
                return FAILED
            changed = copy.deepcopy(found)
            if not all(_APPLY[one["action"]](changed, one) for one in updates):
                return BAD
            after[levels, name] = changed
        self.tables = after
        return 200, [after[levels, name] for levels, name, _, _ in changes]

    def replace_view(self, levels: Levels, name: str, uuid: str, sql: str) -> Expected:
        status, found = self.load(levels, name, "view")
        if status != 200:
            return status, found
        if uuid != found.uuid:
            return FAILED
        if not found.sql or found.sql[-1] != sql:
            found.sql.append(sql)
        return 200, found


def _holds(table: Table, requirement: Json) -> bool:
    kind = requirement["type"]
    if kind == "assert-ref-snapshot-id":
        return table.refs.get(requirement["ref"]) == requirement["snapshot-id"]
    field_of = {
        "assert-create": False,
        "assert-table-uuid": requirement.get("uuid") == table.uuid,
        "assert-current-schema-id": requirement.get("current-schema-id") == table.current_schema,
        "assert-last-assigned-field-id": requirement.get("last-assigned-field-id") == table.last_column,
        "assert-default-spec-id": requirement.get("default-spec-id") == 0,
        "assert-default-sort-order-id": requirement.get("default-sort-order-id") == 0,
        "assert-last-assigned-partition-id": requirement.get("last-assigned-partition-id") == 999,
    }
    return field_of[kind]


def _set_properties(table: Table, update: Json) -> bool:
    table.properties.update(update["updates"])
    return True


def _remove_properties(table: Table, update: Json) -> bool:
    for key in update["removals"]:
        table.properties.pop(key, None)
    return True


def _add_schema(table: Table, update: Json) -> bool:
    columns = [one["name"] for one in update["schema"]["fields"]]
    if columns not in table.schemas:
        table.schemas.append(columns)
        table.last_column = max(table.last_column, len(columns))
    return True


def _set_current_schema(table: Table, update: Json) -> bool:
    if not 0 <= update["schema-id"] < len(table.schemas):
        return False
    table.current_schema = update["schema-id"]
    return True


def _add_snapshot(table: Table, update: Json) -> bool:
    snapshot_id = update["snapshot"]["snapshot-id"]
    if snapshot_id in table.snapshots:
        return False
    table.snapshots.append(snapshot_id)
    return True


def _set_ref(table: Table, update: Json) -> bool:
    if update["snapshot-id"] not in table.snapshots:
        return False
    table.refs[update["ref-name"]] = update["snapshot-id"]
    return True


def _remove_ref(table: Table, update: Json) -> bool:
    table.refs.pop(update["ref-name"], None)
    return True


def _remove_snapshots(table: Table, update: Json) -> bool:
    gone = set(update["snapshot-ids"])
    table.snapshots = [one for one in table.snapshots if one not in gone]
    table.refs = {name: one for name, one in table.refs.items() if one not in gone}
    return True


_APPLY: dict[str, Callable[[Table, Json], bool]] = {
    "set-properties": _set_properties,
    "remove-properties": _remove_properties,
    "add-schema": _add_schema,
    "set-current-schema": _set_current_schema,
    "add-snapshot": _add_snapshot,
    "set-snapshot-ref": _set_ref,
    "remove-snapshot-ref": _remove_ref,
    "remove-snapshots": _remove_snapshots,
}


def columns(count: int) -> Json:
    """Return a schema of so many columns."""
    fields = [
        {"id": number, "name": "id" if number == 1 else f"c{number}", "required": False, "type": "long"}
        for number in range(1, count + 1)
    ]
    return {"type": "struct", "fields": fields}


def some_requirements(rng: random.Random, table: Table | None) -> list[Json]:
    """Return requirements of which most hold."""
    known = table or Table()
    choices = [
        {"type": "assert-create"},
        *({"type": "assert-table-uuid", "uuid": uuid} for uuid in (known.uuid or "0" * 8, known.uuid or "x")),
        {"type": "assert-table-uuid", "uuid": "5f3e6a70-0000-4000-8000-000000000000"},
        *({"type": "assert-current-schema-id", "current-schema-id": one} for one in (known.current_schema, 1)),
        *({"type": "assert-last-assigned-field-id", "last-assigned-field-id": one} for one in (known.last_column, 2)),
        {"type": "assert-default-spec-id", "default-spec-id": 0},
        {"type": "assert-default-sort-order-id", "default-sort-order-id": 0},
        {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": rng.choice([999, 999, 1000])},
        *({"type": "assert-ref-snapshot-id", "ref": one, "snapshot-id": known.refs.get(one)} for one in ("main", "b")),
        {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": rng.choice([None, 7])},
    ]
    return rng.sample(choices, rng.choice([0, 0, 1, 1, 2]))


def some_updates(rng: random.Random) -> list[Json]:
    """Return updates of which most can be applied."""
    number, name = rng.randrange(1, 6), rng.choice(["main", "b"])
    snapshot = {"snapshot-id": number, "timestamp-ms": 4_000_000_000_000, "manifests": []}
    choices = [
        {"action": "set-properties", "updates": {rng.choice("abc"): str(rng.randrange(3))}},
        {"action": "remove-properties", "removals": [rng.choice("abc")]},
        {"action": "add-schema", "schema": columns(number)},
        {"action": "set-current-schema", "schema-id": rng.randrange(3)},
        {"action": "add-snapshot", "snapshot": snapshot | {"summary": {"operation": "append"}}},
        {"action": "set-snapshot-ref", "ref-name": name, "type": "branch", "snapshot-id": number},
        {"action": "remove-snapshot-ref", "ref-name": name},
        {"action": "remove-snapshots", "snapshot-ids": [number, number + 1]},
    ]
    return rng.sample(choices, rng.choice([0, 1, 1, 2, 3]))
