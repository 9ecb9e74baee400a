"""Real clients of the protocol: pyiceberg's REST catalog, and DuckDB with its extension."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from duckdb_extensions import import_extension
from pyiceberg.catalog.rest import RestCatalog

from tests.s3 import S3Endpoint


def open_catalog(base_url: str, **properties: str) -> RestCatalog:
    """Return pyiceberg's client of a server."""
    # Its files go through pyarrow; fsspec would be looked for first.
    io = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}
    return RestCatalog("lakehouse", uri=f"{base_url}/iceberg", warehouse="main", **io, **properties)


@contextmanager
def open_duckdb(base_url: str, folder: Path, *, s3: S3Endpoint | None = None) -> Iterator[Any]:
    """Open DuckDB with the server's warehouse attached as `l`."""
    with duckdb_with_extensions(folder) as connection:
        if s3 is not None:
            connection.execute(
                f"CREATE SECRET (TYPE s3, KEY_ID '{s3.access_key}', SECRET '{s3.secret_key}', REGION 'us-east-1', "
                f"ENDPOINT '{s3.url.partition('://')[2]}', URL_STYLE 'path', USE_SSL false)"
            )
        attach(connection, base_url)
        yield connection


@contextmanager
def duckdb_with_extensions(folder: Path) -> Iterator[Any]:
    """Open DuckDB with what it needs for Iceberg; its extensions come from their wheels."""
    connection = duckdb.connect(config={"extension_directory": str(folder / "extensions")})
    try:
        for name in ("avro", "httpfs", "iceberg"):
            import_extension(name, con=connection)
            connection.execute(f"LOAD {name}")
        yield connection
    finally:
        connection.close()


def attach(connection: Any, base_url: str) -> None:
    """Attach the server's warehouse as `l`."""
    more = ", ACCESS_DELEGATION_MODE 'none'"
    connection.execute(
        f"ATTACH 'main' AS l (TYPE iceberg, ENDPOINT '{base_url}/iceberg', AUTHORIZATION_TYPE 'none'{more})"
    )
