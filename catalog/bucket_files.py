"""Files of a warehouse in a bucket of S3, through the client of Django's storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from catalog.errors import BadCatalogRequest
from lakehouse_site.errors import LakehouseError, StorageFailed

_MISSING = frozenset(("NoSuchKey", "404", "NotFound"))
_EXISTS = frozenset(("PreconditionFailed", "412", "ConditionalRequestConflict"))


class BucketFiles:
    """What a warehouse needs of a bucket; the locations have been confined by their text."""

    def __init__(self, root: str, storage: Any) -> None:
        self._prefix = f"s3://{root.removeprefix('s3://').partition('/')[0]}/"
        self._bucket = storage.bucket
        self._client = storage.connection.meta.client
        self._transfer = storage.transfer_config

    def resolved(self, location: str) -> str:
        return self._key(location)

    def read(self, location: str, *, max_bytes: int) -> bytes:
        with _errors(f"{location} cannot be read"):
            answer = self._client.get_object(Bucket=self._bucket.name, Key=self._key(location))
            size = answer["ContentLength"]
            with answer["Body"] as body:
                if size > max_bytes:
                    raise BadCatalogRequest(f"{location} has {size} bytes; {max_bytes} are the most.")
                data: bytes = body.read()
                return data

    def write_new(self, location: str, data: bytes) -> None:
        place = {"Bucket": self._bucket.name, "Key": self._key(location)}
        with _errors(f"{location} cannot be written"):
            try:
                self._client.put_object(**place, Body=data, IfNoneMatch="*")
            except Exception as error:
                if _code(error) != "NotImplemented":
                    raise
                # Not every service knows the condition. The names have a UUID in them, so that it is a safeguard only.
                self._client.put_object(**place, Body=data)
        if self.read(location, max_bytes=len(data)) != data:
            raise StorageFailed(f"{location} was read back and is not what was written.")

    def save(self, location: str, path: Path) -> None:
        key, size = self._key(location), path.stat().st_size
        with _errors(f"{location} cannot be written"):
            if self._is_there(key):
                raise StorageFailed(f"{location} exists, and nothing is overwritten.")
            self._client.upload_file(str(path), self._bucket.name, key, Config=self._transfer)
            stored = self._client.head_object(Bucket=self._bucket.name, Key=key)["ContentLength"]
        if stored != size:
            raise StorageFailed(f"{location} has {stored} bytes; {size} were written.")

    def delete(self, location: str) -> None:
        with _errors(f"{location} cannot be deleted"):
            self._client.delete_object(Bucket=self._bucket.name, Key=self._key(location))

    def list(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        with _errors(f"{prefix} cannot be listed"):
            for found in self._bucket.objects.filter(Prefix=self._key(prefix.rstrip("/") + "/")):
                yield self._prefix + found.key, found.size, found.last_modified

    def make_folders(self, location: str) -> None:
        """Do nothing: there are no folders."""

    def _key(self, location: str) -> str:
        if not location.startswith(self._prefix):
            raise StorageFailed(f"{location} does not lie in the bucket of the warehouse's storage.")
        return location.removeprefix(self._prefix)

    def _is_there(self, key: str) -> bool:
        try:
            self._client.head_object(Bucket=self._bucket.name, Key=key)
        except Exception as error:
            if _code(error) in _MISSING:
                return False
            raise
        return True


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


@contextmanager
def _errors(what: str) -> Iterator[None]:
    try:
        yield
    except LakehouseError:
        raise
    except Exception as error:  # boto3, botocore, urllib3, …: none of them is ours to name
        if _code(error) in _MISSING:
            raise BadCatalogRequest(f"{what}: there is no such object.") from error
        if _code(error) in _EXISTS:
            raise StorageFailed(f"{what}: there is something of this name, and nothing is overwritten.") from error
        raise StorageFailed(f"{what}: {type(error).__name__}: {error}") from error
