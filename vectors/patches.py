"""Changes of metadata: keys that get a value, keys that go. What stays is kept to the letter.

Metadata are text. Reading and writing them anew would turn 1.50 into 1.5, which for a caller who sent it as a price is
another thing; so the text is taken apart and only the members that change are replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lakehouse_site.errors import Fault, InvalidInput, TooLarge
from vectors.batches import metadata_text
from vectors.fields import Fields, key_fault

PATCH_FIELDS = ("items",)
ITEM_FIELDS = ("id", "metadata")

_SPACE = re.compile(r"[ \t\r\n]*")
# Only where a value ends is of interest; integers of 5,000 digits, say, would be refused.
_DECODER = json.JSONDecoder(parse_int=len, parse_float=len)


class Member(NamedTuple):
    """A key and its value as they are written, the key with its quotation marks."""

    name: str
    value: str


Members = dict[str, Member]
"""What an object consists of, by its keys."""


@dataclass(frozen=True, slots=True)
class Patch:
    """What is to become of an item's metadata: new members by key; one whose value is null goes."""

    key: str
    changes: Members


def parse_patches(items: Sequence[object]) -> list[Patch]:
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
        text = None
        if isinstance(changes, dict):
            text = metadata_text(f"{place}/metadata", changes, fields.faults)
        else:
            fields.fault("metadata", "type", "Expected an object: the keys to change, null for those to remove.")
        if text is not None:
            patches.append(Patch(str(key), members_of(text)))
        faults += fields.faults
    if faults:
        raise InvalidInput(faults)
    return patches


def patched(text: str | None, changes: Members, max_bytes: int) -> str | None:
    """Return metadata, as JSON text, with these changes; the very text where they change nothing.

    Raises
    ------
    TooLarge
        The text would have more than `max_bytes`.
    """
    before = {} if text is None else members_of(text)
    after = dict(before)
    for key, member in changes.items():
        if member.value == "null":
            after.pop(key, None)
        elif key not in before or before[key].value != member.value:
            after[key] = member
    if after == before:
        return text
    new = "{" + ",".join(f"{member.name}:{member.value}" for member in after.values()) + "}"
    if len(new) > len(text or "") and len(new.encode()) > max_bytes:
        raise TooLarge(
            f"The metadata of an item would have more than {max_bytes} bytes. Remove keys, or keep it apart."
        )
    return new


def members_of(text: str) -> Members:
    """Return the members of an object in valid JSON; of several with one key the last, as everywhere."""
    members: Members = {}
    at = _after_space(text, _after_space(text, 0) + 1)
    while text[at] != "}":
        if text[at] == ",":
            at = _after_space(text, at + 1)
        key, end = _DECODER.raw_decode(text, at)
        start = _after_space(text, _after_space(text, end) + 1)  # past the colon
        _, stop = _DECODER.raw_decode(text, start)
        members[key] = Member(text[at:end], text[start:stop])
        at = _after_space(text, stop)
    return members


def _after_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return start if found is None else found.end()
