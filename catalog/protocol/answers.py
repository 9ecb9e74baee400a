"""Tables and views as the protocol answers them. Their metadata is the stored text, and is not read again here."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from catalog.client_config import client_config
from catalog.models import Relation, Warehouse
from catalog.protocol.views import dump
from catalog.recorded import Answer
from catalog.relation_writes import TABLE
from catalog.summaries import snapshots_view

SNAPSHOT_MODES = ("all", "refs")


def load_result(row: Relation, *, warehouse: Warehouse, snapshots: str = "all") -> Answer:
    """Return what a client gets that loads, creates or commits."""
    text: Any = orjson.Fragment(row.metadata_text)
    if snapshots == "refs" and row.kind == TABLE:
        text = snapshots_view(orjson.loads(row.metadata_text), "refs")
    # A table that is only staged has no file yet.
    place = {"metadata-location": row.metadata_location} if row.metadata_location else {}
    body = dump({**place, "metadata": text, "config": client_config(warehouse)})
    return Answer(200, body, etag(row.metadata_location, snapshots) if place and row.kind == TABLE else "")


def commit_result(row: Relation) -> Answer:
    body = {"metadata-location": row.metadata_location, "metadata": orjson.Fragment(row.metadata_text)}
    return Answer(200, dump(body), etag(row.metadata_location, "all"))


def etag(metadata_location: str, snapshots: str) -> str:
    """Return the tag of a load: a metadata file never changes, so its name says what is in it."""
    return f'"{hashlib.sha256(f"{snapshots} {metadata_location}".encode()).hexdigest()[:32]}"'


def matches(header: str | None, tag: str) -> bool:
    """Return whether one of the tags of an ``If-None-Match`` header is `tag`. `*` is for what is not there."""
    if header is None:
        return False
    return any(one.strip().removeprefix("W/") == tag for one in header.split(","))
