"""Histories of commits, drawn at random: pyiceberg applies the same ones to its own model of a table."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pyiceberg.table.metadata import TableMetadata, TableMetadataUtil
from pyiceberg.table.update import TableUpdate, update_table_metadata

from catalog.table_parts import current_snapshot_id
from catalog.table_updates import apply_updates, finish_metadata
from tests.catalog.table_factories import NOW, SCHEMA, add_snapshot, column, schema_json, set_ref, sort_field, table

UPDATE: TypeAdapter[Any] = TypeAdapter(TableUpdate)
NAMES = st.sampled_from(["main", "audit", "b"])
COMMANDS = st.one_of(
    st.tuples(st.just("append"), NAMES),
    st.tuples(st.just("branch"), NAMES, st.integers(0, 30)),
    st.tuples(st.just("tag"), st.sampled_from(["t1", "t2"]), st.integers(0, 30)),
    st.tuples(st.just("forget"), NAMES),
    st.tuples(st.just("remove"), st.integers(0, 30)),
    st.tuples(st.just("set"), st.sampled_from("abc"), st.sampled_from("xyz")),
    st.tuples(st.just("unset"), st.sampled_from("abc")),
    st.tuples(st.just("column"), st.integers(10, 13)),
    st.tuples(st.just("partition"), st.sampled_from(["identity", "bucket[2]", "bucket[3]"])),
    st.tuples(st.just("sort"), st.integers(1, 4)),
    st.tuples(st.just("upgrade")),
)


class Model:
    """What is known of the table from outside: a snapshot has a number, a branch is at one."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.refs: dict[str, int] = {}
        self.alive: list[int] = []
        self.log: list[int] = []
        self.count = 0

    def updates(self, command: tuple[Any, ...], held: dict[str, Any]) -> list[dict[str, Any]]:
        kind, *facts = command
        return list(getattr(self, f"_{kind}")(*facts, held))

    def _point(self, name: str, snapshot_id: int, kind: str = "branch") -> dict[str, Any]:
        if name == "main" and self.refs.get("main") != snapshot_id:
            self.log.append(snapshot_id)
        self.refs[name] = snapshot_id
        return set_ref(snapshot_id, name, kind)

    def _append(self, name: str, held: dict[str, Any]) -> list[dict[str, Any]]:
        self.count += 1
        self.alive.append(self.count)
        number = {} if self.version > 1 else {"sequence-number": 0}
        parent = self.refs.get(name)
        schema = {"schema-id": held["current-schema-id"]}
        return [add_snapshot(self.count, parent, **number, **schema), self._point(name, self.count)]

    def _branch(self, name: str, which: int, _: Any) -> list[dict[str, Any]]:
        return [self._point(name, self.alive[which % len(self.alive)])] if self.alive else []

    def _tag(self, name: str, which: int, _: Any) -> list[dict[str, Any]]:
        return [self._point(name, self.alive[which % len(self.alive)], "tag")] if self.alive else []

    def _forget(self, name: str, _: Any) -> list[dict[str, Any]]:
        self.refs.pop(name, None)
        return [{"action": "remove-snapshot-ref", "ref-name": name}]

    def _remove(self, which: int, _: Any) -> list[dict[str, Any]]:
        if not self.alive:
            return []
        gone = self.alive.pop(which % len(self.alive))
        self.refs = {name: held for name, held in self.refs.items() if held != gone}
        if gone in self.log:
            self.log = self.log[len(self.log) - self.log[::-1].index(gone) :]
        return [{"action": "remove-snapshots", "snapshot-ids": [gone]}]

    def _set(self, name: str, text: str, _: Any) -> list[dict[str, Any]]:
        return [{"action": "set-properties", "updates": {name: text}}]

    def _unset(self, name: str, held: dict[str, Any]) -> list[dict[str, Any]]:
        return [] if name not in held["properties"] else [{"action": "remove-properties", "removals": [name]}]

    def _column(self, field_id: int, held: dict[str, Any]) -> list[dict[str, Any]]:
        wider = schema_json(*SCHEMA["fields"], column(field_id, f"c{field_id}"))
        if any(one["fields"] == wider["fields"] for one in held["schemas"]):
            return []  # pyiceberg would have it twice.
        wider["schema-id"] = len(held["schemas"])
        return [{"action": "add-schema", "schema": wider}, {"action": "set-current-schema", "schema-id": -1}]

    def _partition(self, transform: str, held: dict[str, Any]) -> list[dict[str, Any]]:
        field = {"source-id": 1, "field-id": 1000, "transform": transform, "name": "p"}
        if any(one["fields"] == [field] for one in held["partition-specs"]):
            return []
        spec = {"spec-id": len(held["partition-specs"]), "fields": [field]}
        return [{"action": "add-spec", "spec": spec}, {"action": "set-default-spec", "spec-id": -1}]

    def _sort(self, source: int, held: dict[str, Any]) -> list[dict[str, Any]]:
        if any(one["fields"] == [sort_field(source)] for one in held["sort-orders"]):
            return []
        order = {"order-id": len(held["sort-orders"]), "fields": [sort_field(source)]}
        default = {"action": "set-default-sort-order", "sort-order-id": -1}
        return [{"action": "add-sort-order", "sort-order": order}, default]

    def _upgrade(self, _: Any) -> list[dict[str, Any]]:
        self.version = 2
        return [{"action": "upgrade-format-version", "format-version": 2}]


def shown(metadata: TableMetadata) -> dict[str, Any]:
    """Return what must be the same; pyiceberg forgets history differently and takes parents away."""
    return {
        "version": metadata.format_version,
        "schemas": metadata.schemas,
        "schema": metadata.current_schema_id,
        "columns": metadata.last_column_id,
        "specs": metadata.partition_specs,
        "spec": metadata.default_spec_id,
        "partitions": metadata.last_partition_id,
        "orders": metadata.sort_orders,
        "order": metadata.default_sort_order_id,
        "properties": metadata.properties,
        "refs": metadata.refs,
        "current": metadata.current_snapshot_id,
        "snapshots": [one.model_copy(update={"parent_snapshot_id": None}) for one in metadata.snapshots],
        "sequence": getattr(metadata, "last_sequence_number", 0),
    }


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([1, 2]), st.lists(COMMANDS, min_size=4, max_size=16))
def test_a_history_leads_where_pyiceberg_says(version: int, commands: list[tuple[Any, ...]]) -> None:
    model = Model(version)
    held = table(version)
    theirs = TableMetadataUtil.parse_raw(orjson.dumps(held).decode())
    for command in commands:
        updates = model.updates(command, held)
        old = held
        held = finish_metadata(old, apply_updates(old, updates, now_ms=NOW), old_location="file:///x", now_ms=NOW)
        theirs = update_table_metadata(theirs, tuple(UPDATE.validate_python(one) for one in updates))

    assert shown(TableMetadataUtil.parse_raw(orjson.dumps(held).decode())) == shown(theirs)
    assert [one["snapshot-id"] for one in held["snapshot-log"]] == model.log
    assert current_snapshot_id(held) == model.refs.get("main")
