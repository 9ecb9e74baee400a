"""pyiceberg's REST client on a live server."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import NamespaceNotEmptyError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType

from tests.catalog.engines import open_catalog
from tests.processes import Server
from tests.s3 import S3Endpoint

ROWS = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "text": ["a", "b", "c"]})
SCHEMA = Schema(NestedField(1, "id", LongType()), NestedField(2, "text", StringType()))


def _use(catalog: RestCatalog) -> None:
    """Make, write, read, evolve, look back, rename and drop."""
    catalog.create_namespace("shop", {"owner": "me"})
    with pytest.raises(NoSuchTableError):
        catalog.load_table("shop.orders")
    table = catalog.create_table("shop.orders", SCHEMA)
    with pytest.raises(TableAlreadyExistsError):
        catalog.create_table("shop.orders", SCHEMA)
    table.append(ROWS)
    first = table.current_snapshot()
    assert first is not None
    with table.update_schema() as update:
        update.add_column("amount", LongType())
    table.append(ROWS.append_column("amount", pa.array([10, 20, 30], pa.int64())))
    table.delete("id = 1")

    again = catalog.load_table("shop.orders")
    assert again.scan().to_arrow().num_rows == 4
    assert again.scan(snapshot_id=first.snapshot_id).to_arrow().num_rows == 3
    again.manage_snapshots().create_tag(first.snapshot_id, "start").commit()
    assert catalog.load_table("shop.orders").scan().use_ref("start").to_arrow().num_rows == 3

    catalog.rename_table("shop.orders", "shop.sold")
    assert catalog.list_tables("shop") == [("shop", "sold")]
    assert catalog.load_table("shop.sold").scan().to_arrow().num_rows == 4
    with pytest.raises(NamespaceNotEmptyError):
        catalog.drop_namespace("shop")
    catalog.drop_table("shop.sold")
    catalog.drop_namespace("shop")
    assert catalog.list_namespaces() == []


def _use_more(catalog: RestCatalog) -> None:
    """Names that need encoding, a staged table, format version 1, and a file that is registered again."""
    catalog.create_namespace(("a/b", "c d.é"))
    assert catalog.list_namespaces(("a/b",)) == [("a/b", "c d.é")]
    name = ("a/b", "c d.é", "100% t/1")
    table = catalog.create_table(name, SCHEMA, properties={"format-version": "1"})
    table.append(ROWS)
    assert catalog.load_table(name).scan().to_arrow().num_rows == 3
    assert catalog.load_table(name).format_version == 1

    with catalog.create_table_transaction(("a/b", "staged"), SCHEMA) as transaction:
        transaction.set_properties(made="so")
    assert catalog.load_table(("a/b", "staged")).properties["made"] == "so"

    location = catalog.load_table(name).metadata_location
    catalog.drop_table(name)
    assert not catalog.table_exists(name)
    assert catalog.register_table(name, location).scan().to_arrow().num_rows == 3


def test_pyiceberg_works_on_local_files(server: Server) -> None:
    _use(open_catalog(server.base_url))
    _use_more(open_catalog(server.base_url))


@pytest.mark.slow
def test_pyiceberg_works_on_s3(make_server: Any, s3: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = s3.new_bucket()
    server = make_server(**bucket.environment)
    keys = {"s3.access-key-id": bucket.access_key, "s3.secret-access-key": bucket.secret_key}
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")

    _use(open_catalog(server.base_url, **keys))

    assert bucket.keys("warehouse/")
