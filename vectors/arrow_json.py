"""Metadata out of a column of Arrow: JSON text as it is, structs and maps as objects."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import orjson

from lakehouse_site.errors import Fault, InvalidInput


def type_problem(of: Any) -> str | None:
    """Return why a column of this Arrow type cannot hold metadata, None when it can."""
    import pyarrow.types as kinds

    if _is_text(of):
        return None
    if not kinds.is_struct(of) and not kinds.is_map(of):
        return f"Expected strings of JSON, structs or maps, not {of}."
    return _inner_problem(of)


def metadata_texts(column: Any, place: Callable[[int], str]) -> list[str | None]:
    """Return a JSON text for each value of a column that `type_problem` allows, None for null.

    Parameters
    ----------
    column
        An Arrow array. Fields of a struct that are null are left out of its object, null values of a map are not.
    place
        Returns how the value at a position is named in faults.

    Raises
    ------
    InvalidInput
        A struct or map holds what JSON has not: NaN, an infinity, or a key twice. Texts are not looked into.
    """
    if _is_text(column.type):
        return [None if text == "null" else text for text in column.to_pylist()]
    texts: list[str | None] = []
    faults = []
    for i, value in enumerate(column.to_pylist()):
        try:
            texts.append(None if value is None else orjson.dumps(_plain(value, column.type)).decode())
        except (ValueError, TypeError) as error:
            faults.append(Fault(place(i), "not_json", f"This cannot be kept as JSON: {error}."))
    if faults:
        raise InvalidInput(faults)
    return texts


def _is_text(of: Any) -> bool:
    import pyarrow.types as kinds

    plain = of.value_type if kinds.is_dictionary(of) else of
    return bool(kinds.is_string(plain) or kinds.is_large_string(plain) or kinds.is_string_view(plain))


def _is_list(of: Any) -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_list(of) or kinds.is_large_list(of) or kinds.is_fixed_size_list(of))


def _inner_problem(of: Any) -> str | None:
    import pyarrow.types as kinds

    if kinds.is_struct(of):
        fields = [of.field(i) for i in range(of.num_fields)]
        if len({field.name for field in fields}) != len(fields):
            return f"Two fields of {of} have the same name."
        return next((problem for field in fields if (problem := _inner_problem(field.type))), None)
    if kinds.is_map(of):
        return _inner_problem(of.item_type) if _is_text(of.key_type) else f"The keys of {of} are no strings."
    if _is_list(of):
        return _inner_problem(of.value_type)
    is_json = _is_text(of) or kinds.is_boolean(of) or kinds.is_integer(of) or kinds.is_floating(of) or kinds.is_null(of)
    return None if is_json else f"JSON has no {of}; send it as a string."


def _plain(value: Any, of: Any) -> Any:
    """Return a value as what `json` would have read."""
    import pyarrow.types as kinds

    if value is None:
        return None
    if kinds.is_struct(of):
        fields = [of.field(i) for i in range(of.num_fields)]
        return {f.name: _plain(value[f.name], f.type) for f in fields if value[f.name] is not None}
    if kinds.is_map(of):
        if len({key for key, _ in value}) != len(value):
            raise ValueError("a map has a key twice")
        return {key: _plain(inner, of.item_type) for key, inner in value}
    if _is_list(of):
        return [_plain(inner, of.value_type) for inner in value]
    if kinds.is_floating(of):
        if not math.isfinite(value):
            raise ValueError("there are no NaN and no infinity in it")
        return float(value)
    return value
