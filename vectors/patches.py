"""Changes of metadata: keys that get a value, keys that go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lakehouse_site.errors import Fault, InvalidInput
from vectors.batches import metadata_text
from vectors.fields import Fields, key_fault
from vectors.filters import parse_metadata

PATCH_FIELDS = ("items",)
ITEM_FIELDS = ("id", "metadata")


@dataclass(frozen=True, slots=True)
class Patch:
    """What is to become of an item's metadata: a value for each key, None for one that goes."""

    key: str
    changes: dict[str, Any]


def parse_patches(items: list[object]) -> list[Patch]:
    """Return the patches of ``PATCH /index/{name}/items``.

    Raises
    ------
    InvalidInput
        With at least one fault for every bad item.
    """
    faults: list[Fault] = []
    patches: list[Patch] = []
    for i, item in enumerate(items):
        place = f"/items/{i}"
        try:
            fields = Fields(item, ITEM_FIELDS, place)
        except InvalidInput as error:
            faults += error.faults
            continue
        key, changes = fields.raw("id"), fields.raw("metadata")
        problem = key_fault(key)
        if problem:
            fields.fault("id", *problem)
        if not isinstance(changes, dict):
            fields.fault("metadata", "type", "Expected an object: the keys to change, null for those to remove.")
        else:
            metadata_text(f"{place}/metadata", changes, fields.faults)  # notes what cannot be kept
            patches.append(Patch(str(key), changes))
        faults += fields.faults
    if faults:
        raise InvalidInput(faults)
    return patches


def patched(text: str | None, changes: Mapping[str, Any]) -> str:
    """Return metadata, as JSON text, with these changes."""
    metadata = parse_metadata(text) or {}
    for key, value in changes.items():
        if value is None:
            metadata.pop(key, None)
        else:
            metadata[key] = value
    faults: list[Fault] = []
    new = metadata_text("/metadata", metadata, faults)
    if new is None:
        raise InvalidInput(faults)
    return new
