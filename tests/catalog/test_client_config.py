from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.files.storage import storages
from django.test import override_settings

from catalog.client_config import VEND_CREDENTIALS, client_config, storage_credentials
from catalog.models import Warehouse
from catalog.warehouses import root_in_storage

ENDPOINT = "http://127.0.0.1:9"


@pytest.fixture
def bucket() -> Iterator[Warehouse]:
    """A warehouse in a bucket that nobody asks anything; it is not saved."""
    options = {
        "bucket_name": "lake",
        "location": "deep/down",
        "endpoint_url": ENDPOINT,
        "region_name": "eu-west-1",
        "access_key": "the-key",
        "secret_key": "the-secret",
    }
    held = {**storages.backends, "lake": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}}
    with override_settings(STORAGES=held, LAKEHOUSE_S3_ENDPOINT_URL=ENDPOINT):
        yield Warehouse(name="lake", root=root_in_storage("lake"), storage_alias="lake")


def test_a_client_is_told_where_the_bucket_is_and_no_keys(bucket: Warehouse) -> None:
    assert bucket.root == "s3://lake/deep/down/warehouse"
    assert client_config(bucket) == {
        "client.region": "eu-west-1",
        "s3.region": "eu-west-1",
        "s3.endpoint": ENDPOINT,
        "s3.path-style-access": "true",
    }
    assert storage_credentials(bucket) == []


def test_keys_are_handed_out_only_where_the_warehouse_says_so(bucket: Warehouse) -> None:
    bucket.properties = {VEND_CREDENTIALS: "true"}

    keys = {"s3.access-key-id": "the-key", "s3.secret-access-key": "the-secret"}
    assert keys.items() <= client_config(bucket).items()
    assert storage_credentials(bucket) == [{"prefix": bucket.root, "config": client_config(bucket)}]


def test_on_local_files_there_is_nothing_to_tell() -> None:
    local = Warehouse(name="local", root="file:///somewhere", properties={VEND_CREDENTIALS: "true"})

    assert client_config(local) == {}
    assert storage_credentials(local) == []
