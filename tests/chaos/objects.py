"""The object storage of an installation, seen past Lakehouse."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.s3 import S3Endpoint

PREFIX = "_vectors/"


@dataclass(frozen=True)
class Objects:
    """Files in a folder or, with a bucket, objects in it; `client` is one of boto3."""

    folder: Path
    bucket: S3Endpoint | None
    client: Any

    @property
    def environment(self) -> dict[str, str]:
        return self.bucket.environment if self.bucket else {}

    def names(self) -> set[str]:
        if self.bucket is None:
            return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket.bucket, Prefix=PREFIX)
        return {found["Key"] for page in pages for found in page.get("Contents", ())}

    def read(self, name: str) -> bytes | None:
        """Return the bytes of an object, None where there is none."""
        if self.bucket is None:
            path = self.folder / name
            return path.read_bytes() if path.is_file() else None
        try:
            return bytes(self.client.get_object(Bucket=self.bucket.bucket, Key=name)["Body"].read())
        except self.client.exceptions.NoSuchKey:
            return None

    def write(self, name: str, data: bytes | None) -> None:
        """Replace an object, or remove it with None."""
        if self.bucket is None:
            path = self.folder / name
            if data is None:
                path.unlink()
            else:
                path.write_bytes(data)
        elif data is None:
            self.client.delete_object(Bucket=self.bucket.bucket, Key=name)
        else:
            self.client.put_object(Bucket=self.bucket.bucket, Key=name, Body=data)
