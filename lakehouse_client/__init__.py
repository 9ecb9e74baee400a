"""A client of the Lakehouse index service. Needs nothing but the standard library; takes numpy arrays.

>>> from lakehouse_client import Client
>>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
...     client.create_index("docs", 3)
...     docs = client.index("docs")
...     docs.add([{"id": "a", "vector": [1, 0, 0], "metadata": {"lang": "en"}}])
...     docs.search([1, 0, 0], k=1).hits[0].id
'a'
"""

from __future__ import annotations

from lakehouse_client.answers import (
    AddResult,
    DeleteResult,
    DuplicateGroup,
    DuplicatesResult,
    FetchResult,
    Hit,
    IndexHit,
    IndexInfo,
    Item,
    MergeResult,
    MultiSearchResult,
    Readiness,
    RecallResult,
    SearchManyResult,
    SearchResult,
    SnapshotInfo,
    UpdateResult,
    Vector,
)
from lakehouse_client.client import Client
from lakehouse_client.errors import (
    BadArgument,
    Conflict,
    ConnectionLost,
    Fault,
    Forbidden,
    InvalidInput,
    LakehouseClientError,
    NotFound,
    ProblemError,
    ServerError,
    Throttled,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
)
from lakehouse_client.index import Index
from lakehouse_client.options import Mmr

__all__ = [
    "AddResult",
    "BadArgument",
    "Client",
    "Conflict",
    "ConnectionLost",
    "DeleteResult",
    "DuplicateGroup",
    "DuplicatesResult",
    "Fault",
    "FetchResult",
    "Forbidden",
    "Hit",
    "Index",
    "IndexHit",
    "IndexInfo",
    "InvalidInput",
    "Item",
    "LakehouseClientError",
    "MergeResult",
    "Mmr",
    "MultiSearchResult",
    "NotFound",
    "ProblemError",
    "Readiness",
    "RecallResult",
    "SearchManyResult",
    "SearchResult",
    "ServerError",
    "SnapshotInfo",
    "Throttled",
    "TimedOut",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "UpdateResult",
    "Vector",
]
