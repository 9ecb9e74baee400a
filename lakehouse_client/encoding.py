"""What is sent: vectors as base64 of float32, items and bodies as JSON text, cut into batches."""

from __future__ import annotations

import binascii
import json
import sys
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

from lakehouse_client.answers import Item, Vector
from lakehouse_client.errors import BadArgument

_ITEM_FIELDS = frozenset({"id", "vector", "metadata"})


def to_json(value: object, place: str) -> str:
    """Return JSON in ASCII; `place` names the value in the error.

    Raises
    ------
    BadArgument
        It has no JSON form.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadArgument(
            f"{place} has no JSON form: {error}. Use None, booleans, finite numbers, strings, lists and dicts with "
            "string keys; JSON knows no NaN and no infinity."
        ) from None


def body_of(fields: Mapping[str, object], extra: Mapping[str, object] | None = None) -> bytes:
    """Return the body of a call; None counts as absent."""
    present = {name: value for name, value in {**fields, **(extra or {})}.items() if value is not None}
    texts = (f"{json.dumps(name)}:{to_json(value, name)}" for name, value in present.items())
    return f"{{{','.join(texts)}}}".encode("ascii")


def pack(vector: Vector, place: str = "vector") -> str:
    """Return base64 of little-endian float32.

    Parameters
    ----------
    vector
        Shape (dimension,), not modified. float64 and integers are rounded to the nearest float32; what float32 cannot
        hold becomes infinite, which the server refuses with its place.

    Raises
    ------
    BadArgument
        It is not one vector of numbers.
    """
    try:
        packed = _numpy_bytes(vector, place)
        if packed is None:
            packed = _sequence_bytes(vector, place)
    except (TypeError, OverflowError) as error:
        raise BadArgument(f"{place} is not a flat sequence of numbers: {error}.") from None
    return binascii.b2a_base64(packed, newline=False).decode("ascii")


def _numpy_bytes(vector: object, place: str) -> bytes | None:
    """Return the bytes of a numpy array, None for anything else."""
    # Whoever passes an array has imported numpy; importing it here would cost everybody else a tenth of a second.
    numpy: Any = sys.modules.get("numpy")
    if not isinstance(vector, getattr(numpy, "ndarray", ())):
        return None
    found: Any = vector
    if found.ndim != 1 or found.dtype.kind not in "fiu":
        raise BadArgument(
            f"{place} has shape {found.shape} and dtype {found.dtype}; pass one vector, of floats or integers "
            "(`search_many` and `add_arrays` take matrices)."
        )
    with numpy.errstate(over="ignore"):
        packed: bytes = found.astype("<f4").tobytes()
    return packed


def _sequence_bytes(vector: Any, place: str) -> bytes:
    if isinstance(vector, (str, bytes, bytearray, Mapping)):
        # `array` would take bytes for numbers that are packed already.
        raise BadArgument(f"{place} is {type(vector).__name__}; pass a sequence of numbers.")
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def vector_text(vector: Vector, place: str) -> str:
    """Return a vector as a JSON string: base64 of little-endian float32."""
    return f'"{pack(vector, place)}"'


def item_text(item: Item | Mapping[str, Any], position: int) -> str:
    """Return the JSON of an item to add; `position` names it in errors.

    Raises
    ------
    BadArgument
        It is not an `Item` nor a mapping with ``id``, ``vector`` and perhaps ``metadata``, or cannot be sent.
    """
    place = f"items[{position}]"
    if isinstance(item, Mapping):
        if unknown := set(item) - _ITEM_FIELDS:
            raise BadArgument(f"{place} has fields that are not known: {sorted(map(str, unknown))}.")
        item = Item(item.get("id", ""), item.get("vector"), item.get("metadata"))
    elif not isinstance(item, Item):
        raise BadArgument(f"{place} is {type(item).__name__}; pass an Item, or a dict with id, vector and metadata.")
    place = f"{place} (id {str(item.id)[:80]!r})"
    if item.vector is None:
        raise BadArgument(f"{place} has no vector; when items come from a listing, ask for include=('vector', …).")
    text = f'{{"id":{to_json(item.id, place + ".id")},"vector_b64":"{pack(item.vector, place + ".vector")}"'
    if item.metadata is not None:
        text += f',"metadata":{to_json(item.metadata, place + ".metadata")}'
    return text + "}"


def id_list(ids: Iterable[str]) -> list[str]:
    """Return ids without repetitions, in order.

    Raises
    ------
    BadArgument
        It is one string, whose characters would be taken for ids, or holds something that is not a string.
    """
    if isinstance(ids, (str, bytes)):
        raise BadArgument(f"ids is the one {type(ids).__name__} {ids!r}; pass a list of ids.")
    found = list(ids)
    for position, key in enumerate(found):
        if not isinstance(key, str):
            raise BadArgument(f"ids[{position}] is {type(key).__name__}; an id is a string.")
    return list(dict.fromkeys(found))


def change_text(change: tuple[str, Mapping[str, Any]], position: int) -> str:
    """Return the JSON of an item's change of metadata; `position` names it in errors."""
    key, metadata = change
    return to_json({"id": key, "metadata": metadata}, f"changes[{position}] (id {str(key)[:80]!r})")
