"""A table's metadata while the updates of one commit are applied to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from catalog.errors import BadCatalogRequest
from catalog.json_places import Place
from catalog.partitioning import UNSORTED, check_sources, order_key, partition_ids, spec_key
from catalog.schemas import SchemaIndex, index_schema, schema_key
from catalog.table_parts import (
    MAIN,
    NO_SNAPSHOT,
    ROW_LINEAGE_VERSION,
    current_snapshot_id,
    last_partition_id,
    refs_of,
    schemas_of,
    sort_orders_of,
    specs_of,
    with_single_parts,
)

UPDATES: Final = "/updates"
_LISTS: Final = {"schemas": "schemas", "specs": "partition-specs", "orders": "sort-orders"}


class TableState:
    """What stands so far. Lists are copied, what is in them is shared with the old metadata and never changed.

    Parameters
    ----------
    metadata
        From before the commit; not changed.
    now_ms
        Milliseconds since 1970, UTC.

    Notes
    -----
    `touched` holds the top-level fields that changed; all others are taken over as they are spelt. Every update
    costs what it changes, not what the table has, so thousands of them in one commit are linear.
    """

    def __init__(self, metadata: Mapping[str, Any], now_ms: int) -> None:
        self.old = metadata
        self.now_ms = now_ms
        self.touched: set[str] = set()
        self.format_version: int = metadata["format-version"]
        self.uuid: str | None = metadata.get("table-uuid")
        self.location: str = metadata["location"]
        self.properties: dict[str, str] = dict(metadata.get("properties") or {})
        self._take_definitions(metadata)
        self._take_snapshots(metadata)
        self.keys = {one["key-id"]: one for one in metadata.get("encryption-keys") or ()}

    def _take_definitions(self, metadata: Mapping[str, Any]) -> None:
        self.schemas = {one["schema-id"]: one for one in schemas_of(metadata)}
        self.is_new = not self.schemas
        self.current_schema_id: int = metadata.get("current-schema-id", 0)
        self.last_column_id: int = metadata["last-column-id"]
        self.specs = {one["spec-id"]: one for one in specs_of(metadata)}
        self.default_spec_id: int = metadata.get("default-spec-id", 0)
        self.last_partition_id = last_partition_id(metadata)
        self.orders = {one["order-id"]: one for one in sort_orders_of(metadata)}
        self.default_order_id: int = metadata.get("default-sort-order-id", 0)
        # What -1 means, by the name of the list.
        self.last_added: dict[str, int] = {}
        self.removed_schemas: set[int] = set()
        self._indexes: dict[int, SchemaIndex] = {}
        self._keys: dict[str, dict[Hashable, int]] = {}
        self._partition_ids: dict[Hashable, int] | None = None

    def _take_snapshots(self, metadata: Mapping[str, Any]) -> None:
        self.snapshots = {one["snapshot-id"]: one for one in metadata.get("snapshots") or ()}
        self.current = current_snapshot_id(metadata)
        self.refs = refs_of(metadata)
        self.log: list[dict[str, Any]] = list(metadata.get("snapshot-log") or ())
        self.last_sequence_number: int = metadata.get("last-sequence-number") or 0
        self.next_row_id: int = metadata.get("next-row-id") or 0
        self.statistics = _by_snapshot(metadata.get("statistics"))
        self.partition_statistics = _by_snapshot(metadata.get("partition-statistics"))
        self.added: dict[int, str] = {}  # Snapshots of this commit, and their places in it.
        self.once_current: set[int] = set()  # Those of them that main was set to.
        self.has_removed = False
        self._names: defaultdict[int, set[str]] | None = None

    def index_of(self, schema_id: int, pointer: str = UPDATES) -> SchemaIndex:
        """Return the fields of one of the table's schemas."""
        if schema_id not in self._indexes:
            self._indexes[schema_id] = index_schema(self.schemas[schema_id], pointer)
        return self._indexes[schema_id]

    def find(self, kind: str, content: Mapping[str, Any]) -> int | None:
        """Return the id of a schema, spec or order that says the same; None if there is none.

        All that the table has are read once for the commit, not for each update.
        """
        known, key_of = self._definitions(kind)
        if kind not in self._keys:
            self._keys[kind] = {key_of(one): found for found, one in reversed(known.items())}
        return self._keys[kind].get(key_of(content))

    def add(self, kind: str, number: int, content: dict[str, Any]) -> None:
        """Add a schema, spec or order that `find` has not found."""
        known, key_of = self._definitions(kind)
        known[number] = content
        self.last_added[kind] = number
        self.touched.add(_LISTS[kind])
        self._keys[kind][key_of(content)] = number
        if kind == "specs":
            self.partition_ids().update(partition_ids(content))

    def remove(self, kind: str, number: int) -> None:
        """Forget a schema or a spec."""
        known, key_of = self._definitions(kind)
        key, keys = key_of(known.pop(number)), self._keys.get(kind, {})
        if keys.get(key) == number:
            del keys[key]
        self.touched.add(_LISTS[kind])

    def partition_ids(self) -> dict[Hashable, int]:
        """Return the ids of all partition fields, also of specs removed in this commit, by column and transform."""
        if self._partition_ids is None:
            self._partition_ids = {}
            for spec in self.specs.values():
                self._partition_ids.update(partition_ids(spec))
        return self._partition_ids

    def _definitions(self, kind: str) -> tuple[dict[int, dict[str, Any]], Callable[[Mapping[str, Any]], Hashable]]:
        if kind == "schemas":
            return self.schemas, schema_key
        return (self.specs, spec_key) if kind == "specs" else (self.orders, order_key)

    def ref_names(self, snapshot_id: int) -> set[str]:
        """Return the branches and tags at a snapshot."""
        if self._names is None:
            self._names = defaultdict(set)
            for name, ref in self.refs.items():
                self._names[ref["snapshot-id"]].add(name)
        return set(self._names.get(snapshot_id, ()))

    def put_ref(self, name: str, ref: dict[str, Any] | None) -> None:
        """Set a branch or tag; None takes it away. With `main` goes the current snapshot."""
        before = self.refs.get(name)
        if self._names is not None:
            if before is not None:
                self._names[before["snapshot-id"]].discard(name)
            if ref is not None:
                self._names[ref["snapshot-id"]].add(name)
        if ref is None:
            del self.refs[name]
        else:
            self.refs[name] = ref
        self.touched.add("refs")
        if name == MAIN:
            self.current = None if ref is None else ref["snapshot-id"]
            self.touched.add("current-snapshot-id")

    def finished(self) -> dict[str, Any]:
        """Check that everything goes together and return the new metadata."""
        if not self.touched:
            return dict(self.old)
        self._complete()
        self._check_definitions()
        self._check_snapshots()
        self._mend_log()
        new = dict(self.old)
        for name in sorted(self.touched):
            new[name] = self._value(name)
        if self.format_version >= ROW_LINEAGE_VERSION and self.current is None:
            new.pop("current-snapshot-id", None)
        with_single_parts(new)
        return new

    def _complete(self) -> None:
        # A new table whose client names no spec or no order has the plain ones.
        if self.is_new and not self.specs:
            self.specs[0] = {"spec-id": 0, "fields": []}
            self.touched.add("partition-specs")
        if self.is_new and not self.orders:
            self.orders[0] = dict(UNSORTED)
            self.touched.add("sort-orders")
        if self.touched & {"schemas", "partition-specs", "sort-orders"}:
            # Metadata of v1 may have none of these, only `schema` and `partition-spec`.
            self.touched |= {"schemas", "partition-specs", "sort-orders", "last-partition-id"}
            self.touched |= {"current-schema-id", "default-spec-id", "default-sort-order-id"}

    def _check_definitions(self) -> None:
        if not self.touched & {"current-schema-id", "default-spec-id", "default-sort-order-id"}:
            return
        for what, wanted, known in (
            ("current schema", self.current_schema_id, self.schemas),
            ("default partition spec", self.default_spec_id, self.specs),
            ("default sort order", self.default_order_id, self.orders),
        ):
            if wanted not in known:
                raise BadCatalogRequest(f"Cannot find {what} with id {wanted}", pointer=UPDATES)
        index = self.index_of(self.current_schema_id)
        for what, fields in (
            ("partition", self.specs[self.default_spec_id]["fields"]),
            ("sort", self.orders[self.default_order_id]["fields"]),
        ):
            check_sources([Place(one, UPDATES) for one in fields], index, what)

    def _check_snapshots(self) -> None:
        """Every snapshot of this commit has its schema, and no schema was removed from under one that stays."""
        for snapshot_id, pointer in self.added.items():
            schema_id = self.snapshots[snapshot_id].get("schema-id") if snapshot_id in self.snapshots else None
            if schema_id is not None and schema_id not in self.schemas:
                detail = f"Cannot add snapshot with unknown schema: {schema_id}"
                raise BadCatalogRequest(detail, pointer=f"{pointer}/schema-id")
        if gone := self.removed_schemas - set(self.schemas):
            for one in self.snapshots.values():
                if one.get("schema-id") in gone:
                    detail = f"Cannot remove schema {one['schema-id']}: snapshot {one['snapshot-id']} has it"
                    raise BadCatalogRequest(detail, pointer=UPDATES)

    def _mend_log(self) -> None:
        """Leave out what this commit only passed through, and all history before a snapshot that was removed.

        With (t1, s1), (t2, s2), (t3, s3) and s2 removed, the log must not say that s1 was current until t3.
        """
        passed = {one for one in self.once_current if one != self.current}
        if not passed and not self.has_removed:
            return
        log: list[dict[str, Any]] = []
        for entry in self.log:
            if entry["snapshot-id"] not in self.snapshots:
                if self.has_removed:
                    log.clear()
            elif entry["snapshot-id"] not in passed:
                log.append(entry)
        if log != self.log:
            self.log = log
            self.touched.add("snapshot-log")

    def _value(self, name: str) -> Any:
        if name == "current-snapshot-id":
            return NO_SNAPSHOT if self.current is None else self.current
        values = {
            "format-version": self.format_version,
            "table-uuid": self.uuid,
            "location": self.location,
            "properties": self.properties,
            "current-schema-id": self.current_schema_id,
            "last-column-id": self.last_column_id,
            "default-spec-id": self.default_spec_id,
            "last-partition-id": self.last_partition_id,
            "default-sort-order-id": self.default_order_id,
            "refs": self.refs,
            "snapshot-log": self.log,
            "last-sequence-number": self.last_sequence_number,
            "next-row-id": self.next_row_id,
        }
        if name in values:
            return values[name]
        return self._list(name)

    def _list(self, name: str) -> list[Any]:
        if name in ("statistics", "partition-statistics"):
            files = self.statistics if name == "statistics" else self.partition_statistics
            return [one for of_snapshot in files.values() for one in of_snapshot]
        lists: dict[str, Mapping[Any, Any]] = {
            "schemas": self.schemas,
            "partition-specs": self.specs,
            "sort-orders": self.orders,
            "snapshots": self.snapshots,
            "encryption-keys": self.keys,
        }
        return list(lists[name].values())


def _by_snapshot(files: Any) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for one in files or ():
        found.setdefault(one["snapshot-id"], []).append(one)
    return found
