"""Errors of this app; `lakehouse_site/errors.py` draws the tree they hang in, `problems.py` maps them to HTTP.

Each that a client of the Iceberg protocol can meet carries `exception`, the name the protocol gives it.

::

    LakehouseError
    ├── CommitStateUnknown          nobody can know whether a commit happened: look before you try again
    ├── Unprocessable               well formed, and at odds with itself
    ├── NotGranted                  a grant is missing: once there are any, they alone decide
    ├── QueryTimedOut               a query ran into its time limit and was ended
    ├── InvalidInput
    │   ├── BadCatalogRequest       a request that breaks a rule of the protocol
    │   └── OutsideWarehouse        a location or data file that does not lie in the warehouse
    ├── NotFound
    │   ├── NoSuchWarehouse
    │   ├── NoSuchNamespace
    │   ├── NoSuchTable
    │   └── NoSuchView
    └── Conflict
        ├── AlreadyExists
        ├── AnsweredMeanwhile       another request with the same idempotency key was first
        ├── NamespaceNotEmpty
        └── CommitFailed            what the commit builds on has changed: load again and try again
"""

from __future__ import annotations

from typing import ClassVar

from lakehouse_site.errors import Conflict, Fault, InvalidInput, LakehouseError, NotFound


class BadCatalogRequest(InvalidInput):
    """A request that breaks a rule of the protocol; nothing was changed."""

    code = "bad_catalog_request"
    exception: ClassVar[str] = "BadRequestException"

    def __init__(self, detail: str, *, pointer: str = "") -> None:
        super().__init__([Fault(pointer, self.code, detail)], detail)


class OutsideWarehouse(BadCatalogRequest):
    """A location or data file that does not lie in the warehouse; nothing was read or written there."""

    code = "outside_warehouse"


class Unprocessable(LakehouseError):
    """A request that is well formed and at odds with itself."""

    code = "unprocessable"
    title = "The request contradicts itself"
    exception: ClassVar[str] = "UnprocessableEntityException"


class NotGranted(LakehouseError):
    """The caller holds no grant for this; once a warehouse has any, they alone decide."""

    code = "not_granted"
    title = "Not granted"
    exception: ClassVar[str] = "ForbiddenException"


class NoSuchWarehouse(NotFound):
    """No warehouse has this name."""

    code = "warehouse_not_found"
    title = "No such warehouse"
    exception: ClassVar[str] = "NoSuchWarehouseException"


class NoSuchNamespace(NotFound):
    """No namespace has this name."""

    code = "namespace_not_found"
    title = "No such namespace"
    exception: ClassVar[str] = "NoSuchNamespaceException"


class NoSuchTable(NotFound):
    """No table has this name."""

    code = "table_not_found"
    title = "No such table"
    exception: ClassVar[str] = "NoSuchTableException"


class NoSuchView(NotFound):
    """No view has this name."""

    code = "view_not_found"
    title = "No such view"
    exception: ClassVar[str] = "NoSuchViewException"


class AlreadyExists(Conflict):
    """The name is taken: tables and views of a namespace share their names."""

    code = "already_exists"
    title = "The name is taken"
    exception: ClassVar[str] = "AlreadyExistsException"


class AnsweredMeanwhile(Conflict):
    """Another request with the same idempotency key was first: its answer is the answer."""

    code = "answered_meanwhile"
    title = "The key has been used"
    exception: ClassVar[str] = "CommitFailedException"


class NamespaceNotEmpty(Conflict):
    """A namespace with something in it is not dropped."""

    code = "namespace_not_empty"
    title = "The namespace is not empty"
    exception: ClassVar[str] = "NamespaceNotEmptyException"


class CommitFailed(Conflict):
    """What the commit builds on has changed. Load the table and try again; clients do that by themselves."""

    code = "commit_failed"
    title = "The table has changed"
    exception: ClassVar[str] = "CommitFailedException"


class CommitStateUnknown(LakehouseError):
    """The database failed while a commit was under way: it may or may not have happened. Nothing was deleted."""

    code = "commit_state_unknown"
    title = "Nobody knows whether it was committed"
    exception: ClassVar[str] = "CommitStateUnknownException"


class QueryTimedOut(LakehouseError):
    """A query ran into its time limit and was ended."""

    code = "query_timed_out"
    title = "The query took too long"
