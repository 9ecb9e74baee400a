"""The catalog for pyiceberg in our own process: the same services as behind the protocol, without HTTP to ourselves.

What is not of use to our own writes (views, registering, purging) goes through the services directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import orjson
import pyarrow as pa
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    NamespaceAlreadyExistsError,
    NamespaceNotEmptyError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table import CommitTableResponse, StagedTable, Table
from pyiceberg.table.metadata import TableMetadata, TableMetadataUtil
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER, SortOrder
from pyiceberg.table.update import TableRequirement, TableUpdate
from pyiceberg.typedef import EMPTY_DICT, Identifier, Properties

from catalog import namespaces, relation_moves, relations
from catalog.callers import Caller
from catalog.commits import TableChange, commit_tables
from catalog.errors import (
    AlreadyExists,
    CommitFailed,
    CommitStateUnknown,
    NamespaceNotEmpty,
    NoSuchNamespace,
    NoSuchTable,
)
from catalog.models import Relation, Warehouse
from catalog.warehouse_io import WarehouseIO


def as_table(relation: Relation, catalog: OwnCatalog) -> Table:
    """Return a table as pyiceberg knows one."""
    return Table(
        identifier=(*relation.namespace.levels, relation.name),
        metadata=metadata_of(relation),
        metadata_location=relation.metadata_location,
        io=WarehouseIO(catalog.warehouse),
        catalog=catalog,
    )


def metadata_of(relation: Relation) -> TableMetadata:
    """Return a table's metadata as pyiceberg's model."""
    return TableMetadataUtil.parse_raw(relation.metadata_text)


def as_dicts(models: Sequence[TableRequirement | TableUpdate]) -> list[dict[str, Any]]:
    """Return requirements or updates as they stand in a request of the protocol."""
    return [orjson.loads(model.model_dump_json(by_alias=True, exclude_none=True)) for model in models]


class OwnCatalog(MetastoreCatalog):
    """Tables of one warehouse, on behalf of one caller."""

    def __init__(self, warehouse: Warehouse, caller: Caller) -> None:
        super().__init__(warehouse.name, warehouse=warehouse.root)
        self.warehouse = warehouse
        self._caller = caller

    def load_table(self, identifier: str | Identifier) -> Table:
        *levels, name = self.identifier_to_tuple(identifier)
        try:
            found = relations.find_table(warehouse=self.warehouse, levels=levels, name=name, caller=self._caller)
        except NoSuchTable as error:
            raise NoSuchTableError(error.detail) from error
        return as_table(found, self)

    def create_table(
        self,
        identifier: str | Identifier,
        schema: Schema | pa.Schema,
        location: str | None = None,
        partition_spec: PartitionSpec = UNPARTITIONED_PARTITION_SPEC,
        sort_order: SortOrder = UNSORTED_SORT_ORDER,
        properties: Properties = EMPTY_DICT,
    ) -> Table:
        levels, request = self._request(identifier, schema, location, partition_spec, sort_order, properties)
        try:
            made = relations.create_table(warehouse=self.warehouse, levels=levels, request=request, caller=self._caller)
        except AlreadyExists as error:
            raise TableAlreadyExistsError(error.detail) from error
        except NoSuchNamespace as error:
            raise NoSuchNamespaceError(error.detail) from error
        return as_table(made, self)

    def _create_staged_table(
        self,
        identifier: str | Identifier,
        schema: Schema | pa.Schema,
        location: str | None = None,
        partition_spec: PartitionSpec = UNPARTITIONED_PARTITION_SPEC,
        sort_order: SortOrder = UNSORTED_SORT_ORDER,
        properties: Properties = EMPTY_DICT,
    ) -> StagedTable:
        levels, request = self._request(identifier, schema, location, partition_spec, sort_order, properties)
        return self.staged(levels, request)

    def staged(self, levels: Sequence[str], request: dict[str, Any]) -> StagedTable:
        """Return a table that the first commit makes; `request` is a CreateTableRequest."""
        row = relations.stage_table(warehouse=self.warehouse, levels=levels, request=request, caller=self._caller)
        return StagedTable((*levels, row.name), metadata_of(row), "", WarehouseIO(self.warehouse), self)

    def _request(
        self,
        identifier: str | Identifier,
        schema: Schema | pa.Schema,
        location: str | None,
        partition_spec: PartitionSpec,
        sort_order: SortOrder,
        properties: Properties,
    ) -> tuple[list[str], dict[str, Any]]:
        *levels, name = self.identifier_to_tuple(identifier)
        parts = {
            "schema": assign_fresh_schema_ids(self._convert_schema_if_needed(schema)),
            "partition-spec": partition_spec,
            "write-order": sort_order,
        }
        dumped = {key: orjson.loads(part.model_dump_json(by_alias=True)) for key, part in parts.items()}
        request = {"name": name, **dumped, "properties": {key: str(value) for key, value in properties.items()}}
        return list(levels), request | ({"location": location} if location else {})

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        *levels, name = table.name()
        change = TableChange(levels, name, as_dicts(requirements), as_dicts(updates))
        try:
            (row,) = commit_tables(warehouse=self.warehouse, changes=[change], caller=self._caller)
        except CommitFailed as error:
            raise CommitFailedException(error.detail) from error
        except CommitStateUnknown as error:
            raise CommitStateUnknownException(error.detail) from error
        except AlreadyExists as error:
            raise TableAlreadyExistsError(error.detail) from error
        except NoSuchTable as error:
            raise NoSuchTableError(error.detail) from error
        facts = {"metadata": metadata_of(row), "metadata-location": row.metadata_location}
        return CommitTableResponse.model_validate(facts)

    def drop_table(self, identifier: str | Identifier) -> None:
        *levels, name = self.identifier_to_tuple(identifier)
        relation_moves.drop(
            warehouse=self.warehouse, levels=levels, name=name, kind="table", purge_requested=False, caller=self._caller
        )

    def create_namespace(self, namespace: str | Identifier, properties: Properties = EMPTY_DICT) -> None:
        levels = self.identifier_to_tuple(namespace)
        try:
            namespaces.create_namespace(
                warehouse=self.warehouse, levels=levels, properties=properties, caller=self._caller
            )
        except AlreadyExists as error:
            raise NamespaceAlreadyExistsError(error.detail) from error

    def drop_namespace(self, namespace: str | Identifier) -> None:
        levels = self.identifier_to_tuple(namespace)
        try:
            namespaces.drop_namespace(warehouse=self.warehouse, levels=levels, caller=self._caller)
        except NamespaceNotEmpty as error:
            raise NamespaceNotEmptyError(error.detail) from error

    def list_tables(self, namespace: str | Identifier) -> list[Identifier]:
        levels = self.identifier_to_tuple(namespace)
        found = relations.list_relations(warehouse=self.warehouse, levels=levels, caller=self._caller)
        return [(*levels, row.name) for row in found]

    def list_namespaces(self, namespace: str | Identifier = ()) -> list[Identifier]:
        levels = self.identifier_to_tuple(namespace) if namespace else ()
        found = namespaces.list_namespaces(warehouse=self.warehouse, parent=levels, caller=self._caller)
        return [tuple(row.levels) for row in found]

    def load_namespace_properties(self, namespace: str | Identifier) -> Properties:
        levels = self.identifier_to_tuple(namespace)
        try:
            found = namespaces.find_namespace(warehouse=self.warehouse, levels=levels, caller=self._caller)
        except NoSuchNamespace as error:
            raise NoSuchNamespaceError(error.detail) from error
        return namespaces.properties_of(found)

    def _not_here(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("The services of catalog.relation_moves and catalog.views do this.")

    update_namespace_properties = _not_here
    register_table = _not_here
    rename_table = _not_here
    list_views = _not_here
    load_view = _not_here
    view_exists = _not_here
    register_view = _not_here
    drop_view = _not_here
    create_view = _not_here
