from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pyarrow as pa
import pytest
from django.core.files.storage import storages
from django.test import override_settings
from django.utils import timezone

from catalog import namespaces, warehouses
from catalog.callers import SYSTEM
from catalog.compaction import compact_table
from catalog.fsck import check_warehouse
from catalog.models import Warehouse
from catalog.orphans import remove_orphans
from catalog.purge import purge_relation
from catalog.reachability import files_of_relation
from catalog.warehouse_files import write_new_file
from tests.catalog.lake import append, drop, expire, ids_of, make_table, row_of, table_of
from tests.s3 import REGION, S3Endpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def bucket(s3: S3Endpoint) -> S3Endpoint:
    return s3.new_bucket()


@pytest.fixture
def s3_warehouse(transactional_db: None, bucket: S3Endpoint) -> Iterator[Warehouse]:
    options = {
        "bucket_name": bucket.bucket,
        "endpoint_url": bucket.url,
        "access_key": bucket.access_key,
        "secret_key": bucket.secret_key,
        "region_name": REGION,
        "file_overwrite": False,
    }
    default = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    with override_settings(STORAGES={**storages.backends, "default": default}):
        found = warehouses.default_warehouse()
        namespaces.create_namespace(warehouse=found, levels=["ns"], caller=SYSTEM)
        yield found


def test_files_in_a_bucket_are_compacted_expired_collected_and_purged(
    s3_warehouse: Warehouse, bucket: S3Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_table(s3_warehouse)
    for number in range(3):
        append(s3_warehouse, number)
    compact_table(relation=row_of(), min_files=2, caller=SYSTEM)
    expire()
    assert sum(key.endswith(".parquet") for key in sorted(bucket.keys())) == 1
    lost = f"{s3_warehouse.root}/lost.parquet"
    write_new_file(s3_warehouse, lost, b"garbage")

    assert remove_orphans(warehouse=s3_warehouse, is_dry_run=False).files == 0
    later = timezone.now() + timedelta(days=30)
    with monkeypatch.context() as patch:
        patch.setattr("catalog.orphans.timezone.now", lambda: later)
        assert remove_orphans(warehouse=s3_warehouse, is_dry_run=False).locations == [lost]

    assert bucket.keys() == {
        one.location.partition(f"{bucket.bucket}/")[2] for one in files_of_relation(s3_warehouse, row_of())
    }
    assert ids_of(s3_warehouse) == [0, 1, 2]
    table_of(s3_warehouse).overwrite(pa.table({"id": pa.array([5], pa.int64())}))
    assert check_warehouse(warehouse=s3_warehouse).faults == []
    purge_relation(relation_id=drop(s3_warehouse, purge=True).pk)
    assert bucket.keys() == set()
