"""LHV1 files of versions 1 and 2, which a service written in Go has left: all after the envelope is a graph.

Ids and vectors are read from the graph (`coder_hnsw`); metadata stand in the envelope, and so do, in version 2, the ids
that count. Version 1 has no such list: items without metadata are invisible in it. Neither has checksums.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import numpy as np
import orjson

from lakehouse_site.errors import DamagedFile
from vectors import coder_hnsw
from vectors.lhv1 import Page

FIELDS = {1: frozenset({"version", "params", "metadata"}), 2: frozenset({"version", "params", "metadata", "ids"})}

_SPACE = re.compile(r"[ \t\r\n]*")
# Numbers stay text: nobody needs them here, and Python refuses to read integers of more than 4,300 digits.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)


@dataclass(frozen=True, slots=True)
class GoItems:
    """What the envelope tells of the items.

    Attributes
    ----------
    metadata
        For every id that counts, its metadata as JSON text, exactly as it stands in the file; None for none.
    """

    metadata: dict[str, str | None]


def parse_items(fields: dict[str, str], version: int) -> GoItems:
    """Return what an envelope of version 1 or 2 tells of the items.

    Parameters
    ----------
    fields
        The `members` of the envelope.
    version
        1 or 2.

    Raises
    ------
    ValueError, TypeError
        A field is not as the format has it, or an id stands there twice.
    """
    if fields.keys() - FIELDS[version]:
        raise ValueError(f"unknown fields {sorted(fields.keys() - FIELDS[version])}")
    if version == 2 and "ids" not in fields:
        raise ValueError("the field ids is missing")
    found = fields.get("metadata", "null")
    texts = {} if found == "null" else members(found)
    metadata = {key: _metadata(key, value) for key, value in texts.items()}
    if version == 1:
        return GoItems(metadata)
    ids: object = orjson.loads(fields["ids"]) or []
    if not isinstance(ids, list):
        raise TypeError("ids has to be an array of strings")
    known: dict[str, str | None] = {}
    for key in ids:
        if not isinstance(key, str):
            raise TypeError("ids has to be an array of strings")
        if key in known:
            raise ValueError(f"the id {key!r} stands in ids twice")
        known[key] = metadata.get(key)
    return GoItems(known)


def members(text: str) -> dict[str, str]:
    """Return the members of a JSON object, each value as the text that stands there.

    Parameters
    ----------
    text
        Valid JSON: this only takes it apart.

    Raises
    ------
    ValueError
        It is no object, or has a name twice.
    """
    members: dict[str, str] = {}
    at = _skip(text, 0)
    if text[at] != "{":
        raise ValueError("expected an object")
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)  # over the colon
        _, at = _DECODER.raw_decode(text, start)
        if name in members:
            raise ValueError(f"the field {name!r} stands there twice")
        members[name] = text[start:at]
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return members


def check(file: BinaryIO, start: int, dimension: int, items: GoItems) -> None:
    """Read the graph from `start` to the end of the file.

    Raises
    ------
    DamagedFile
        It is malformed, has an id twice, or lacks one that counts.
    """
    found: set[str] = set()
    for key, _ in coder_hnsw.read_items(file, start, file.seek(0, 2), dimension):
        if key in found:
            raise DamagedFile(f"The graph has two items with the id {key!r}.")
        found.add(key)
    missing = [key for key in items.metadata if key not in found]
    if missing:
        more = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise DamagedFile(f"The graph has no vector for the id {missing[0]!r}{more}.")


def read_pages(file: BinaryIO, start: int, dimension: int, items: GoItems, page_items: int) -> Iterator[Page]:
    """Yield the items of a file that `check` has passed, in the order of the graph, labels counted from 1.

    Raises
    ------
    DamagedFile
        The graph is malformed.
    """
    found = coder_hnsw.read_items(file, start, file.seek(0, 2), dimension)
    wanted = ((key, vector) for key, vector in found if key in items.metadata)
    label = 1
    while page := list(islice(wanted, page_items)):
        keys = [key for key, _ in page]
        labels = np.arange(label, label + len(page), dtype=np.int64)
        yield Page(keys, labels, b"".join([vector for _, vector in page]), [items.metadata[key] for key in keys])
        label += len(page)


def _metadata(key: str, text: str) -> str | None:
    if text == "null":
        return None
    if not text.startswith("{"):
        raise ValueError(f"the metadata of {key!r} are no object")
    return text


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at
