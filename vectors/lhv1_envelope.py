"""The envelope of an LHV1 file: from JSON text to what it states, or a `DamagedFile`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

import orjson

from lakehouse_site.errors import DamagedFile
from vectors import lhv1_go
from vectors.distances import DISTANCES
from vectors.lhv1 import SECTIONS, TRAILER_BYTES, VERSION, Description, IndexParams
from vectors.lhv1_go import GoItems
from vectors.validation import DEFAULT_EF_CONSTRUCTION, DEFAULT_EF_SEARCH, DEFAULT_M

_GO_DEFAULTS = {"m": DEFAULT_M, "ef_construction": DEFAULT_EF_CONSTRUCTION, "ef_search": DEFAULT_EF_SEARCH}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a section lies in the file, and the SHA-256 of its bytes."""

    offset: int
    length: int
    sha256: str

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Envelope:
    """The checked head of a file.

    Attributes
    ----------
    version
        1, 2 or 3.
    count
        Number of items.
    sections
        By name; empty in versions 1 and 2.
    go_items
        What the envelope of version 1 or 2 tells of the items; None in version 3.
    body_start
        First byte after the envelope.
    """

    version: int
    description: Description
    count: int
    sections: dict[str, Place]
    go_items: GoItems | None
    body_start: int


def parse_envelope(text: bytes, start: int) -> Envelope:
    """Return what an envelope of any version states.

    Parameters
    ----------
    text
        The bytes of the envelope.
    start
        Where they begin in the file.

    Raises
    ------
    DamagedFile
        They are no JSON, of an unknown version, or a field is missing, of a wrong type or there twice; in version 3
        also when sections, size and number of items do not fit each other.
    """
    body_start = start + len(text)
    try:
        version = _version(text)
        if version == VERSION:
            return _envelope(text, body_start)
        if version in lhv1_go.FIELDS:
            return _envelope_of_go(text, version, body_start)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        problem = f"{type(error).__name__}: {error}"[:200]
        raise DamagedFile(f"Byte {start}: the envelope is malformed ({problem}).") from error
    raise DamagedFile(f"Byte {start}: version {version} is not known here; 1, 2 and 3 are.")


def _version(text: bytes) -> int:
    body: object = orjson.loads(text)
    if not isinstance(body, dict):
        raise TypeError("expected an object")
    return _natural(body["version"])


def _envelope(text: bytes, body_start: int) -> Envelope:
    body = _unambiguous(text)
    count = _natural(body["count"])
    params = _params(_object(body["params"]))
    sections: dict[str, Place] = {}
    end = body_start
    places = _object(body["sections"])
    for name in SECTIONS:
        found = _object(places[name])
        place = Place(_natural(found["offset"]), _natural(found["length"]), _text(found["sha256"]))
        if place.offset != end:
            raise ValueError(f"section {name} at {place.offset}, expected at {end}")
        end = place.end
        sections[name] = place
    if body["size"] != end + TRAILER_BYTES:
        raise ValueError(f"size {body['size']} does not fit the sections, which end at {end}")
    for name, width in (("vectors", 4 * params.dimension), ("labels", 8)):
        if sections[name].length != width * count:
            raise ValueError(f"{count} items need another length of the section {name} than {sections[name].length}")
    uuid = UUID(_text(body["uuid"])) if body["uuid"] is not None else None
    description = Description(uuid, params, _natural(body["applied_seq"]), _text(body["created_at"]))
    return Envelope(VERSION, description, count, sections, None, body_start)


def _envelope_of_go(text: bytes, version: int, body_start: int) -> Envelope:
    fields = lhv1_go.members(text.decode())
    items = lhv1_go.parse_items(fields, version)
    params = _unambiguous(fields["params"])
    # What Go had not set is 0 or missing.
    params = {**params, **{name: params.get(name) or default for name, default in _GO_DEFAULTS.items()}}
    return Envelope(version, Description(None, _params(params), 0, ""), len(items.metadata), {}, items, body_start)


def _params(found: dict[str, object]) -> IndexParams:
    distances = [distance for distance in DISTANCES if distance == found["distance"]]
    if not distances:
        raise ValueError(f"the distance {found['distance']!r} is not known")
    dimension, m, construction, search = (
        _natural(found[name]) for name in ("dimension", "m", "ef_construction", "ef_search")
    )
    if 0 in (dimension, m, construction, search):
        raise ValueError("dimension, m, ef_construction and ef_search have to be at least 1")
    return IndexParams(_text(found["name"]), dimension, distances[0], m, construction, search)


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, found {type(value).__name__}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, found {type(value).__name__}")
    return value


def _natural(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(f"expected a whole number from 0 on, found {str(value)[:40]}")
    return value


def _unambiguous(text: str | bytes) -> dict[str, object]:
    """Parse JSON that orjson has found valid; of two fields with one name it would silently take the last."""
    return _object(json.loads(text, object_pairs_hook=_without_duplicates))


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a field stands there twice")
    return dict(pairs)
