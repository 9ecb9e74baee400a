"""What a client has to know to reach the files of a warehouse by itself."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.core.files.storage import storages

from catalog.models import Warehouse

# A property of a warehouse. The credentials are the server's own, with all that these may do: off unless it is "true".
VEND_CREDENTIALS: Final = "vend-credentials"


def client_config(warehouse: Warehouse) -> dict[str, str]:
    """Return the configuration that goes with a loaded table: for S3 the endpoint, region and style of addresses."""
    if not warehouse.root.startswith("s3:"):
        return {}
    return _place_of_bucket(warehouse.storage_alias) | _keys(warehouse)


def storage_credentials(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Return credentials for a warehouse's files, if its property `vend-credentials` is ``"true"``; else none."""
    keys = _keys(warehouse)
    return [{"prefix": warehouse.root, "config": client_config(warehouse)}] if keys else []


@lru_cache(maxsize=16)
def _place_of_bucket(alias: str) -> dict[str, str]:
    meta = _client(alias).meta
    found = {"client.region": meta.region_name, "s3.region": meta.region_name} if meta.region_name else {}
    if settings.LAKEHOUSE_S3_ENDPOINT_URL:
        # A service of one's own has no names of its own for each bucket.
        found |= {"s3.endpoint": meta.endpoint_url, "s3.path-style-access": "true"}
    return found


def _keys(warehouse: Warehouse) -> dict[str, str]:
    if not warehouse.root.startswith("s3:") or warehouse.properties.get(VEND_CREDENTIALS) != "true":
        return {}
    held = _client(warehouse.storage_alias)._request_signer._credentials
    if held is None:
        return {}
    frozen = held.get_frozen_credentials()
    token = {"s3.session-token": frozen.token} if frozen.token else {}
    return {"s3.access-key-id": frozen.access_key, "s3.secret-access-key": frozen.secret_key} | token


def _client(alias: str) -> Any:
    storage: Any = storages[alias]
    return storage.connection.meta.client
