"""Items and query vectors from parsed JSON to arrays, or all their faults. No Python work per number.

The loop below runs once per item. Numbers are converted by `array.array`, which takes nothing but numbers, and
checked as one matrix; booleans, which Python counts among the numbers, can only hide where a component is 0 or 1.
"""

from __future__ import annotations

import binascii
import json
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from lakehouse_site.errors import Fault, InvalidInput
from vectors.distances import Distance, Float32Rows
from vectors.fields import escape, json_type, key_fault

MAX_METADATA_DEPTH = 254
"""What orjson writes; the standard library's limit differs from one Python to the next."""

ITEM_FIELDS = frozenset({"id", "vector", "vector_b64", "metadata"})

_HUGE_NUMBER = re.compile(r"\de\+?(?:1[89]|[2-9]\d|\d{3})\b")


@dataclass(frozen=True, slots=True)
class Batch:
    """Valid items.

    Attributes
    ----------
    keys
        n ids; may repeat.
    vectors
        Shape (n, d), float32.
    metadata
        n JSON texts; None where the item brought none.
    """

    keys: list[str]
    vectors: Float32Rows
    metadata: list[str | None]

    def __len__(self) -> int:
        return len(self.keys)


class VectorReader:
    """Collects vectors one by one, each as a JSON array or as base64, and their faults.

    Parameters
    ----------
    dimension, distance
        Those of the index.
    """

    def __init__(self, dimension: int, distance: Distance) -> None:
        self._dimension = dimension
        self._distance = distance
        self._numbers = array("d")
        self._number_places: list[tuple[int, str, list[Any]]] = []
        self._chunks: list[bytes] = []
        self._chunk_places: list[tuple[int, str]] = []
        self.faults: list[Fault] = []

    def numbers(self, position: int, pointer: str, value: object) -> None:
        """Take a JSON array of numbers."""
        if type(value) is not list:
            self._fault(pointer, "type", f"A vector is an array of {self._dimension} numbers, not {json_type(value)}.")
        elif len(value) != self._dimension:
            self._fault(pointer, "dimension", f"Expected {self._dimension} numbers, got {len(value)}.")
        else:
            try:
                self._numbers.fromlist(value)
            except (TypeError, OverflowError):
                self._fault(*_first_wrong_number(pointer, value))
            else:
                self._number_places.append((position, pointer, value))

    def base64(self, position: int, pointer: str, value: object) -> None:
        """Take base64 of little-endian float32."""
        if type(value) is not str:
            self._fault(pointer, "type", f"Expected base64 of little-endian float32, not {json_type(value)}.")
            return
        try:
            chunk = binascii.a2b_base64(value, strict_mode=True)
        except ValueError as error:
            self._fault(pointer, "base64", f"This is not base64: {error}.")
            return
        if len(chunk) != 4 * self._dimension:
            detail = f"Expected {4 * self._dimension} bytes ({self._dimension} float32), got {len(chunk)}."
            self._fault(pointer, "dimension", detail)
            return
        self._chunks.append(chunk)
        self._chunk_places.append((position, pointer))

    def matrix(self, count: int) -> Float32Rows:
        """Return shape (count, d), float32; rows with faults hold anything."""
        wide = np.frombuffer(self._numbers, np.float64).reshape(-1, self._dimension)
        self._refuse_booleans(wide)
        with np.errstate(over="ignore"):
            narrow = wide.astype(np.float32)
        if len(narrow) == count:
            rows = narrow
        else:
            rows = np.zeros((count, self._dimension), np.float32)
            rows[[place[0] for place in self._number_places]] = narrow
        if self._chunks:
            narrow = np.frombuffer(b"".join(self._chunks), "<f4").reshape(-1, self._dimension)
            rows[[place[0] for place in self._chunk_places]] = narrow
        self._refuse_unusable(rows)
        return rows

    def _refuse_booleans(self, wide: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        looks_boolean = (wide == 0) | (wide == 1)
        if not looks_boolean.any():
            return
        for suspect in np.flatnonzero(looks_boolean.any(axis=1)).tolist():
            _, pointer, value = self._number_places[suspect]
            if bool in set(map(type, value)):
                self._fault(*_first_wrong_number(pointer, value))

    def _refuse_unusable(self, rows: Float32Rows) -> None:
        finite = np.isfinite(rows)
        if not finite.all():
            for position, pointer in self._places():
                wrong = np.flatnonzero(~finite[position])
                if len(wrong):
                    detail = f"Component {wrong[0]} is not a finite float32 (NaN, infinite, or beyond 3.4e38)."
                    self._fault(pointer, "not_finite", detail)
        if self._distance == "cosine" and not rows.any(axis=1).all():
            for position, pointer in self._places():
                if not rows[position].any():
                    detail = "A zero vector has no direction, so it has no cosine distance."
                    self._fault(pointer, "zero_vector", detail)

    def _places(self) -> list[tuple[int, str]]:
        return [place[:2] for place in self._number_places] + self._chunk_places

    def _fault(self, pointer: str, code: str, detail: str) -> None:
        self.faults.append(Fault(pointer, code, detail))


def parse_batch(items: Sequence[object], dimension: int, distance: Distance, pointer: str = "/items") -> Batch:
    """Return the items as arrays.

    Parameters
    ----------
    items
        Parsed JSON: ``{"id", "vector" or "vector_b64", "metadata"?}`` each.
    dimension, distance
        Those of the index.
    pointer
        The place of `items` in the body.

    Raises
    ------
    InvalidInput
        With at least one fault for every bad item, in their order.
    """
    reader = VectorReader(dimension, distance)
    faults = reader.faults
    keys: list[str] = []
    metadata: list[str | None] = []
    for i, item in enumerate(items):
        place = f"{pointer}/{i}"
        if type(item) is not dict:
            faults.append(Fault(place, "type", f"An item is an object, not {json_type(item)}."))
            continue
        if not ITEM_FIELDS.issuperset(item):
            faults.extend(_unknown_fields(place, item))
        key = item.get("id")
        problem = key_fault(key) if "id" in item else ("required", "Every item needs an id, a string.")
        if problem:
            faults.append(Fault(f"{place}/id", *problem))
        keys.append(str(key))
        metadata.append(metadata_text(f"{place}/metadata", item.get("metadata"), faults))
        read_vector(reader, i, place, item)
    vectors = reader.matrix(len(items))
    if faults:
        raise InvalidInput(sorted(faults, key=lambda fault: _position(fault, pointer)))
    return Batch(keys, vectors, metadata)


def read_vector(reader: VectorReader, position: int, place: str, item: dict[str, Any]) -> None:
    """Give the reader an object's ``vector`` or ``vector_b64``: exactly one of them has to be there."""
    if "vector_b64" not in item and "vector" in item:
        reader.numbers(position, f"{place}/vector", item["vector"])
    elif "vector_b64" in item and "vector" not in item:
        reader.base64(position, f"{place}/vector_b64", item["vector_b64"])
    elif "vector" in item:
        reader.faults.append(Fault(place, "ambiguous", "Send either vector or vector_b64, not both."))
    else:
        reader.faults.append(Fault(f"{place}/vector", "required", "Send a vector or a vector_b64."))


def has_huge_number(batch: Batch) -> bool:
    """Return whether metadata hold a number of 1e18 or more.

    It may have been an integer beyond 64 bits, which orjson reads as a float: then the body has to be read again with
    exact integers.
    """
    return any(text is not None and _HUGE_NUMBER.search(text) for text in batch.metadata)


def metadata_text(pointer: str, value: object, faults: list[Fault]) -> str | None:
    """Return metadata as the JSON text that is stored, None for none; what cannot be stored is added to `faults`."""
    if value is None:
        return None
    if type(value) is not dict:
        faults.append(Fault(pointer, "type", f"Metadata is an object or null, not {json_type(value)}."))
        return None
    if not value:
        return "{}"
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        pass  # an integer beyond 64 bits, which only the standard library writes, or nested too deeply
    if is_deeper(value, MAX_METADATA_DEPTH):
        faults.append(Fault(pointer, "too_deep", f"Metadata are nested at most {MAX_METADATA_DEPTH} levels deep."))
        return None
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except ValueError as error:
        faults.append(Fault(pointer, "not_json", f"This cannot be kept as JSON: {error}."))
        return None
    return text


def is_deeper(value: object, limit: int) -> bool:
    """Return whether objects and arrays are nested in more than `limit` levels; without recursion."""
    level: list[Any] = [value]
    for _ in range(limit + 1):
        level = [item for item in level if type(item) in (dict, list)]
        if not level:
            return False
        inner: list[Any] = []
        for container in level:
            inner += container.values() if type(container) is dict else container
        level = inner
    return True


def _unknown_fields(place: str, item: dict[str, Any]) -> list[Fault]:
    known = ", ".join(sorted(ITEM_FIELDS))
    return [
        Fault(f"{place}/{escape(name)}", "unknown_field", f"There is no such field. Known here: {known}.")
        for name in item
        if name not in ITEM_FIELDS
    ]


def _first_wrong_number(pointer: str, values: list[Any]) -> tuple[str, str, str]:
    for i, value in enumerate(values):
        if type(value) not in (int, float):
            return f"{pointer}/{i}", "type", f"Expected a number, not {json_type(value)}."
        try:
            float(value)
        except OverflowError:
            return f"{pointer}/{i}", "not_finite", "This number is too large for float32."
    return pointer, "type", "Expected numbers only."


def _position(fault: Fault, pointer: str) -> int:
    return int(fault.pointer[len(pointer) + 1 :].split("/", 1)[0])
