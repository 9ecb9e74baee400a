"""Files of a warehouse for code that needs them on this machine's disk, whole: where they are, or copies of them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from django.core.files.storage import storages

from catalog.disk_files import SCHEME
from catalog.errors import BadCatalogRequest
from catalog.models import Warehouse
from catalog.warehouse_files import check_inside
from lakehouse_site.errors import StorageFailed


def size_of(warehouse: Warehouse, location: str) -> int:
    """Return how many bytes a file has.

    Raises
    ------
    OutsideWarehouse, BadCatalogRequest, StorageFailed
        It lies elsewhere; there is none; the storage does not answer.
    """
    found = check_inside(warehouse, location)
    if not found.startswith(SCHEME):
        client, bucket, key = _object(warehouse, found)
        return int(_tried(location, lambda: client.head_object(Bucket=bucket, Key=key))["ContentLength"])
    path = Path(found.removeprefix(SCHEME))
    if not path.is_file():
        raise BadCatalogRequest(f"{location} cannot be read: there is no such file.")
    return path.stat().st_size


def on_disk(warehouse: Warehouse, location: str, folder: Path) -> Path:
    """Return the path of a file, or of a copy in `folder` of what lies in a bucket; else as `size_of`."""
    found = check_inside(warehouse, location)
    if found.startswith(SCHEME):
        return Path(found.removeprefix(SCHEME))
    client, bucket, key = _object(warehouse, found)
    path = folder / uuid.uuid4().hex
    _tried(location, lambda: client.download_file(bucket, key, str(path)))
    return path


def _object(warehouse: Warehouse, location: str) -> tuple[Any, str, str]:
    storage: Any = storages[warehouse.storage_alias]
    bucket, _, key = location.removeprefix("s3://").partition("/")
    if bucket != storage.bucket_name:
        raise StorageFailed(f"{location} does not lie in the bucket of the warehouse's storage.")
    return storage.connection.meta.client, bucket, key


def _tried(location: str, call: Any) -> Any:
    try:
        return call()
    except Exception as error:  # boto3, botocore, urllib3, …: none of them is ours to name
        code = str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
        if code in ("404", "NoSuchKey", "NotFound"):
            raise BadCatalogRequest(f"{location} cannot be read: there is no such object.") from error
        raise StorageFailed(f"{location} cannot be read: {error}") from error
