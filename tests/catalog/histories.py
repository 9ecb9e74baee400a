"""Random histories of calls: each is sent to a server and to the model, and both have to answer the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from tests.catalog.catalog_model import (
    CatalogModel,
    Expected,
    Levels,
    Table,
    columns,
    some_requirements,
    some_updates,
)

Call = Callable[[str, str, Any], tuple[int, Any]]
"""Method, path below ``/iceberg/v1`` and body; status and body of the answer."""

NAMES = ("t", "u", "ü /%2F+ß", "T")
SPACES: tuple[Levels, ...] = (("a",), ("b",), ("a", "x"), ("a", "x", "y"), ("A",), ("a%", "_"))


class History:
    """One history, of one client."""

    def __init__(self, call: Call, seed: int) -> None:
        self.call = call
        self.rng = random.Random(seed)
        self.model = CatalogModel()

    def run(self, steps: int) -> None:
        kinds = [
            (self.namespaces, 4), (self.properties, 2), (self.create, 4), (self.commit, 8), (self.transaction, 3),
            (self.move, 3), (self.look, 6), (self.views, 3),
        ]  # fmt: skip
        for _ in range(steps):
            (step,) = self.rng.choices([one for one, _ in kinds], [weight for _, weight in kinds])
            step()

    def place(self) -> tuple[Levels, str]:
        if self.model.tables and self.rng.random() < 0.75:
            return self.rng.choice(sorted(self.model.tables))
        return self.space(), self.rng.choice(NAMES)

    def space(self) -> Levels:
        known = sorted(self.model.spaces)
        return self.rng.choice(known) if known and self.rng.random() < 0.7 else self.rng.choice(SPACES)

    def namespaces(self) -> None:
        levels, rng = self.space(), self.rng
        path = f"namespaces/{at(levels)}"
        kind = rng.choice(["create", "create", "get", "head", "drop", "list"])
        if kind == "create":
            levels = rng.choice(SPACES)
            properties = {"p": str(rng.randrange(3))} if rng.random() < 0.5 else {}
            body = {"namespace": list(levels), "properties": properties}
            self.check("POST", "namespaces", body, self.model.create_namespace(levels, properties))
        elif kind == "get":
            self.check("GET", path, None, self.model.get_namespace(levels))
        elif kind == "head":
            status = self.model.get_namespace(levels)[0]
            self.check("HEAD", path, None, (204 if status == 200 else status, None))
        elif kind == "drop":
            self.check("DELETE", path, None, self.model.drop_namespace(levels))
        else:
            parent = rng.choice([(), levels])
            query = f"?parent={at(parent)}" if parent else ""
            self.check("GET", f"namespaces{query}", None, self.model.list_namespaces(parent))

    def properties(self) -> None:
        levels, rng = self.space(), self.rng
        removals = rng.sample("pqr", rng.randrange(3))
        updates = {key: str(rng.randrange(9)) for key in rng.sample("pqr", rng.randrange(2))}
        body = {"removals": removals, "updates": updates}
        expected = self.model.update_namespace(levels, removals, updates)
        self.check("POST", f"namespaces/{at(levels)}/properties", body, expected)

    def create(self) -> None:
        levels, name = self.space(), self.rng.choice(NAMES)
        body = {"name": name, "schema": columns(1), "properties": {"format-version": "1", "a": "0"}}
        expected = self.model.create(levels, name, Table(properties={"a": "0"}))
        self.check("POST", f"namespaces/{at(levels)}/tables", body, expected)

    def commit(self) -> None:
        levels, name = self.place()
        requirements = some_requirements(self.rng, self.model.tables.get((levels, name)))
        updates = some_updates(self.rng)
        if self.model.load(levels, name, "table")[0] != 200:  # else it would be a table that the client puts together
            requirements = [one for one in requirements if one["type"] != "assert-create"]
        status, found = self.model.commit([(levels, name, requirements, updates)])
        body = {"requirements": requirements, "updates": updates}
        expected = (status, found[0] if status == 200 else found)
        self.check("POST", f"namespaces/{at(levels)}/tables/{quote(name, safe='')}", body, expected)

    def transaction(self) -> None:
        places = sorted({self.place() for _ in range(self.rng.choice([1, 2, 3]))})
        changes = []
        for levels, name in places:
            requirements = some_requirements(self.rng, self.model.tables.get((levels, name)))
            requirements = [one for one in requirements if one["type"] != "assert-create"]
            changes.append((levels, name, requirements, some_updates(self.rng)))
        body = [
            {"identifier": {"namespace": list(levels), "name": name}, "requirements": requirements, "updates": updates}
            for levels, name, requirements, updates in changes
        ]
        status, found = self.model.commit(changes)
        self.check("POST", "transactions/commit", {"table-changes": body}, (204 if status == 200 else status, found))

    def move(self) -> None:
        (levels, name), kind = self.place(), self.rng.choice(["table", "table", "view"])
        if self.rng.random() < 0.4:
            path = f"namespaces/{at(levels)}/{kind}s/{quote(name, safe='')}"
            self.check("DELETE", path, None, self.model.drop(levels, name, kind))
            return
        target = self.space(), self.rng.choice(NAMES)
        body = {
            "source": {"namespace": list(levels), "name": name},
            "destination": {"namespace": list(target[0]), "name": target[1]},
        }
        self.check("POST", f"{kind}s/rename", body, self.model.rename((levels, name), target, kind))

    def look(self) -> None:
        (levels, name), kind = self.place(), self.rng.choice(["table", "table", "view"])
        path = f"namespaces/{at(levels)}/{kind}s"
        choice = self.rng.choice(["load", "load", "head", "list"])
        if choice == "list":
            self.check("GET", path, None, self.model.list_relations(levels, kind))
            return
        status, found = self.model.load(levels, name, kind)
        path = f"{path}/{quote(name, safe='')}"
        if choice == "head":
            self.check("HEAD", path, None, (204 if status == 200 else status, None))
        else:
            self.check("GET", path, None, (status, found))

    def views(self) -> None:
        (levels, name), sql = self.place(), f"SELECT {self.rng.randrange(3)} AS id"
        version = {
            "version-id": 1,
            "timestamp-ms": 1_700_000_000_000,
            "schema-id": 0,
            "summary": {},
            "default-namespace": list(levels) or ["a"],
            "representations": [{"type": "sql", "sql": sql, "dialect": "duckdb"}],
        }
        if self.rng.random() < 0.5:
            body = {"name": name, "schema": columns(1), "view-version": version, "properties": {}}
            expected = self.model.create(levels, name, Table(kind="view", sql=[sql]))
            self.check("POST", f"namespaces/{at(levels)}/views", body, expected)
            return
        known = self.model.tables.get((levels, name))
        uuid = known.uuid if known and self.rng.random() < 0.8 else "5f3e6a70-0000-4000-8000-000000000000"
        updates = [
            {"action": "add-view-version", "view-version": version},
            {"action": "set-current-view-version", "view-version-id": -1},
        ]
        replaced = {"requirements": [{"type": "assert-view-uuid", "uuid": uuid}], "updates": updates}
        path = f"namespaces/{at(levels)}/views/{quote(name, safe='')}"
        self.check("POST", path, replaced, self.model.replace_view(levels, name, uuid, sql))

    def check(self, method: str, path: str, body: Any, expected: Expected) -> None:
        """Send a call and compare."""
        status, found = self.call(method, path, body)
        said = (method, path, body, found)
        assert status == expected[0], (said, expected)
        if status >= 400 and method != "HEAD":
            assert found["error"]["type"] == expected[1], (said, expected)
            assert found["error"]["code"] == status
        elif isinstance(expected[1], Table):
            check_loaded(expected[1], found)
        elif status == 200:
            assert found == expected[1], (said, expected)


def check_loaded(table: Table, found: Any) -> None:
    """Compare what a table or view is said to be with what it has to be; a uuid, once seen, is its own for life."""
    metadata = found["metadata"]
    uuid = metadata[f"{table.kind}-uuid"]
    assert table.uuid in ("", uuid)
    table.uuid = uuid
    assert found["metadata-location"].startswith(metadata["location"] + "/metadata/")
    if table.kind == "view":
        current = next(one for one in metadata["versions"] if one["version-id"] == metadata["current-version-id"])
        assert current["representations"][0]["sql"] == table.sql[-1]
        return
    # Some have a value that nobody has sent, as with the reference implementation.
    assert {key: value for key, value in metadata["properties"].items() if key in "abc"} == table.properties
    assert [[one["name"] for one in schema["fields"]] for schema in metadata["schemas"]] == table.schemas
    assert metadata["current-schema-id"] == table.current_schema
    assert metadata["last-column-id"] == table.last_column
    assert [one["snapshot-id"] for one in metadata.get("snapshots", [])] == table.snapshots
    assert {name: one["snapshot-id"] for name, one in metadata.get("refs", {}).items()} == table.refs
    assert metadata.get("current-snapshot-id", -1) in (table.refs.get("main", -1), None)


def at(levels: Levels) -> str:
    """Return a namespace as it stands in an address."""
    return quote("\x1f".join(levels), safe="")
