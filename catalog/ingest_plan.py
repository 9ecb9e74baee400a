"""What the columns of a file become in a table: which fields they are, and what the table has to learn for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.ingest_types import fits, may_widen, refused, sql_type
from lakehouse_site.errors import InvalidInput

Json = Any


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file goes into a table that is there.

    Attributes
    ----------
    told
        Columns that are read as the table's type, and not as a guess.
    new, widened
        Type by column: what has to be added to the table, and what has to become wider.
    """

    told: tuple[str, ...]
    new: Mapping[str, Json]
    widened: Mapping[str, Json]


def check_columns(columns: Sequence[Mapping[str, Json]], types: Mapping[str, str]) -> None:
    """Refuse columns that no table can have, and types for columns that are not there.

    Raises
    ------
    InvalidInput
        It names the column.
    """
    if not columns:
        raise InvalidInput.at("/file", "empty", "The file has no columns.")
    names = [column["name"] for column in columns]
    for name in types:
        if name not in names:
            raise InvalidInput.at("/types", "unknown", f"The file has no column {name!r}; it has {', '.join(names)}.")
    for name in names:
        if not name or any(character < " " for character in name):
            raise refused(name, "has a name that is empty or has control characters.")


def plan_append(
    columns: Sequence[Mapping[str, Json]],
    fields: Sequence[Mapping[str, Json]],
    *,
    types: Mapping[str, str],
    is_text: bool,
    may_evolve: bool,
) -> Plan:
    """Return how the columns of a file go into the fields of a table, by their names.

    Raises
    ------
    InvalidInput
        A column is new, does not fit, or is missing and required; it is named.
    """
    by_name = {field["name"]: field for field in fields}
    new: dict[str, Json] = {}
    widened: dict[str, Json] = {}
    for column in columns:
        name, found = column["name"], column["type"]
        if name not in by_name:
            if not may_evolve:
                raise refused(name, "is not in the table. Leave it out, or let the table have it with `evolve`.")
            new[name] = found
            continue
        wanted = by_name[name]["type"]
        _check_writable(name, wanted)
        is_guess = is_text and name not in types
        if not fits(found, wanted, is_text=is_text) and not (is_guess and isinstance(wanted, str)):
            if not may_widen(wanted, found):
                raise refused(name, f"is {_shown(found)} in the file and {_shown(wanted)} in the table.")
            if not may_evolve:
                raise refused(name, f"is {found} in the file and {wanted} in the table; `evolve` makes it wider there.")
            widened[name] = found
    for name, field in by_name.items():
        if field.get("required") and name not in {column["name"] for column in columns}:
            raise refused(name, "is required in the table and not in the file.")
    known = [column["name"] for column in columns if column["name"] in by_name]
    return Plan(tuple(known) if is_text else (), new, widened)


def _check_writable(name: str, kind: Json) -> None:
    try:
        sql_type(kind)
    except KeyError:
        raise refused(name, f"is {_shown(kind)} in the table, which only engines write.") from None


def _shown(kind: Json) -> str:
    return kind if isinstance(kind, str) else str(kind["type"])
