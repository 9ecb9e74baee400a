"""Views: made and replaced as tables are, with metadata of their own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from catalog import grants
from catalog.callers import Caller
from catalog.commits import MAX_ATTEMPTS
from catalog.errors import BadCatalogRequest, CommitFailed
from catalog.models import Relation, Warehouse
from catalog.names import check_name, dotted
from catalog.places import own_place, wanted_place
from catalog.relation_writes import VIEW, Change, Overtaken, store, the_only
from catalog.relations import look_up, missing, namespace_for, now_ms, taken
from catalog.requirements import check_view_requirements
from catalog.view_metadata import apply_view_updates, new_view_metadata


def create_view(*, warehouse: Warehouse, levels: Sequence[str], request: Mapping[str, Any], caller: Caller) -> Relation:
    """Make a view of a `CreateViewRequest` of the protocol.

    Raises
    ------
    NotGranted, NoSuchNamespace, AlreadyExists, BadCatalogRequest
        Nothing was made.
    """
    name = check_name(request.get("name"), what="view name")
    namespace = namespace_for(warehouse=warehouse, levels=levels, name=name, kind=VIEW, caller=caller)
    view_uuid = str(uuid.uuid4())
    wanted = wanted_place(warehouse, request.get("location"))
    location = wanted or own_place(namespace, name, view_uuid)
    metadata = new_view_metadata(request, view_uuid=view_uuid, location=location, now_ms=now_ms())
    change = Change(namespace, name, VIEW, None, metadata, "create", is_place_chosen=wanted is not None)
    try:
        return store([change], warehouse=warehouse, caller=caller, result=the_only)[0]
    except Overtaken:
        raise taken(warehouse, levels, name, VIEW) from None


def replace_view(
    *, warehouse: Warehouse, levels: Sequence[str], name: str, requirements: Any, updates: Any, caller: Caller
) -> Relation:
    """Commit to a view, as `commits.commit_tables` does to tables.

    Raises
    ------
    NotGranted, NoSuchView, CommitFailed, BadCatalogRequest
        Nothing was changed.
    """
    for what, sent in (("requirements", requirements), ("updates", updates)):
        if not isinstance(sent, list) or not all(isinstance(one, Mapping) for one in sent):
            raise BadCatalogRequest(f"Invalid {what}: they must be a list of objects.", pointer=f"/{what}")
    grants.require(caller=caller, warehouse=warehouse, levels=levels, privilege=grants.WRITE)
    for _ in range(MAX_ATTEMPTS):
        standing = look_up(warehouse, levels, name, VIEW)
        if standing is None:
            raise missing(VIEW, levels, name)
        before = orjson.loads(standing.metadata_text)
        check_view_requirements(before, requirements)
        after = apply_view_updates(before, _with_places(warehouse, updates, standing.location), now_ms=now_ms())
        if after == before:
            return standing
        change = Change(
            standing.namespace, name, VIEW, standing, after, "commit", [str(one.get("action")) for one in updates],
            is_place_chosen=after["location"] != before["location"],
        )  # fmt: skip
        try:
            return store([change], warehouse=warehouse, caller=caller, result=the_only)[0]
        except Overtaken:
            continue
    raise CommitFailed(f"Commit failed: {dotted(levels, name)} kept changing while it was tried {MAX_ATTEMPTS} times.")


def _with_places(warehouse: Warehouse, updates: Sequence[Mapping[str, Any]], own: str) -> list[Mapping[str, Any]]:
    return [
        {**one, "location": wanted_place(warehouse, one.get("location")) or own}
        if one.get("action") == "set-location"
        else one
        for one in updates
    ]
