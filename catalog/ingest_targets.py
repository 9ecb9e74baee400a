"""The two kinds of tables a file can go into: one that the commit makes, and one that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from pyiceberg.schema import Schema
from pyiceberg.table import StagedTable, Transaction
from pyiceberg.table.metadata import TableMetadata

from catalog import namespaces
from catalog.appends import append_files, check_writable, create_with_files, data_file
from catalog.callers import Caller
from catalog.errors import AlreadyExists
from catalog.ingest_plan import Plan
from catalog.ingest_record import Done, done_before, marks
from catalog.ingest_requests import IngestRequest
from catalog.ingest_types import sql_type
from catalog.models import Relation, Warehouse
from catalog.names import path_of
from catalog.own_catalog import OwnCatalog, as_table, metadata_of

Json = Any
Moved = Sequence[tuple[Path, str]]


class NewTable:
    """A table that does not exist before its rows do."""

    def __init__(self, warehouse: Warehouse, request: IngestRequest, caller: Caller, key: str) -> None:
        self._warehouse = warehouse
        self._request = request
        self._caller = caller
        self._key = key
        self._staged: StagedTable | None = None

    def preview(self, columns: Sequence[Mapping[str, Json]], plan: Plan | None) -> list[Json]:
        """Return the fields it would have."""
        return [
            {"id": position, "name": column["name"], "required": False, "type": column["type"]}
            for position, column in enumerate(columns, start=1)
        ]

    def prepare(self, columns: Sequence[Mapping[str, Json]], plan: Plan | None) -> list[Json]:
        """Return the fields, with their ids, that files are to be written with."""
        place = self._request.place
        if not namespaces.living(self._warehouse).filter(path=path_of(place.levels)).exists():
            with suppress(AlreadyExists):  # a moment ago, by somebody else
                namespaces.create_namespace(warehouse=self._warehouse, levels=place.levels, caller=self._caller)
        schema = {"type": "struct", "fields": self.preview(columns, plan)}
        request = {"name": place.name, "schema": schema, "properties": {}}
        self._staged = OwnCatalog(self._warehouse, self._caller).staged(place.levels, request)
        return _fields(self._staged.metadata)

    def data_location(self) -> str:
        """Return the folder its data files belong into."""
        return f"{self._prepared().metadata.location}/data"

    def _prepared(self) -> StagedTable:
        if self._staged is None:
            raise RuntimeError("prepare comes first")
        return self._staged

    def commit(self, files: Moved, rows: int) -> tuple[Done, bool]:
        """Make the table with these files; return what is done, and whether it was not before."""
        staged = self._prepared()
        summary = marks(self._key, self._request.mode, rows)
        described = [data_file(path, location=location, metadata=staged.metadata) for path, location in files]
        staged.metadata = staged.metadata.model_copy(update={"properties": {**staged.metadata.properties, **summary}})
        made = create_with_files(
            warehouse=self._warehouse, staged=staged, files=described, summary=summary, caller=self._caller
        )
        return Done(made, made.current_snapshot_id, rows), True


class StandingTable:
    """A table that is there, and gets more rows or others."""

    def __init__(self, relation: Relation, request: IngestRequest, caller: Caller, key: str) -> None:
        check_writable(orjson.loads(relation.metadata_text), str(relation))
        self._relation = relation
        self._request = request
        self._caller = caller
        self._key = key
        self._plan = Plan((), {}, {})
        self._metadata: TableMetadata = metadata_of(relation)

    def preview(self, columns: Sequence[Mapping[str, Json]], plan: Plan | None) -> list[Json]:
        """Return the fields it would have."""
        return self.prepare(columns, plan)

    def prepare(self, columns: Sequence[Mapping[str, Json]], plan: Plan | None) -> list[Json]:
        """Return the fields, with their ids, that files are to be written with."""
        self._plan = plan or self._plan
        # A transaction that nobody commits: pyiceberg gives new fields the ids they will have.
        catalog = OwnCatalog(self._relation.namespace.warehouse, self._caller)
        transaction = Transaction(as_table(self._relation, catalog))
        self._evolve(transaction)
        self._metadata = transaction.table_metadata
        return _fields(self._metadata)

    def _evolve(self, transaction: Transaction) -> None:
        if not self._plan.new and not self._plan.widened:
            return
        with transaction.update_schema() as update:
            for name, kind in self._plan.new.items():
                update.add_column((name,), _pyiceberg_type(kind))
            for name, kind in self._plan.widened.items():
                update.update_column((name,), field_type=_pyiceberg_type(kind))

    def data_location(self) -> str:
        """Return the folder its data files belong into."""
        return f"{self._metadata.location}/data"

    def commit(self, files: Moved, rows: int) -> tuple[Done, bool]:
        """Commit the files; return what is done, and whether it was not before."""
        described = [data_file(path, location=location, metadata=self._metadata) for path, location in files]
        mode = self._request.mode
        row, is_new = append_files(
            relation=self._relation,
            files=described,
            summary=marks(self._key, mode, rows),
            caller=self._caller,
            is_overwrite=mode == "overwrite",
            evolve=self._evolve,
            is_there=lambda standing: done_before(standing, self._key, mode) is not None,
        )
        done = None if is_new else done_before(row, self._key, mode)
        return done or Done(row, row.current_snapshot_id, rows), is_new


def _fields(metadata: TableMetadata) -> list[Json]:
    fields: list[Json] = orjson.loads(metadata.schema().model_dump_json(by_alias=True))["fields"]
    for field in fields:
        if isinstance(field["type"], str):
            field["type"] = field["type"].replace(",", ", ").replace("  ", " ")
    return [field for field in fields if _is_writable(field["type"])]


def _is_writable(kind: Json) -> bool:
    try:
        sql_type(kind)
    except KeyError:
        return False
    return True


def _pyiceberg_type(kind: Json) -> Any:
    field = {"id": 1, "name": "x", "required": False, "type": kind}
    return Schema.model_validate({"type": "struct", "schema-id": 0, "fields": [field]}).fields[0].field_type
