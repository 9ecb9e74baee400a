"""What is asked of an ingest, checked: the table, how the file is to be read, and what it may change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from catalog.ingest_source import FORMATS
from catalog.ingest_types import check_override
from catalog.names import check_levels, check_name
from lakehouse_site.errors import InvalidInput
from vectors.fields import Fields

MODES: Final = ("create", "append", "overwrite")
IMPORT_FOLDER: Final = "imports/"
FIELDS: Final = (
    "table", "mode", "format", "delimiter", "header", "null", "types", "evolve", "dry_run", "object",
)  # fmt: skip
_ENDINGS: Final = {
    "csv": "csv", "tsv": "csv", "txt": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl",
    "parquet": "parquet", "pq": "parquet",
}  # fmt: skip
_COMPRESSIONS: Final = {"gz": "gzip", "zst": "zstd"}
_NO_KEY = re.compile(r"[\x00-\x1f\\\ud800-\udfff]")
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
MAX_TYPES: Final = 10_000


@dataclass(frozen=True, slots=True)
class TablePlace:
    """A table's namespace and name."""

    levels: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """What is to become of a file.

    Attributes
    ----------
    compression
        ``none``, ``gzip`` or ``zstd``.
    types
        Iceberg type by column, which the file's text is read as.
    may_evolve
        New columns are added to the table, and its columns widened, where the file needs it.
    """

    place: TablePlace
    mode: str
    file_format: str
    compression: str
    delimiter: str | None = None
    header: bool | None = None
    null_text: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    may_evolve: bool = False
    is_dry_run: bool = False

    def options(self) -> dict[str, Any]:
        """Return what beside the bytes decides what rows a file becomes."""
        return {
            "format": self.file_format,
            "compression": self.compression,
            "delimiter": self.delimiter,
            "header": self.header,
            "null": self.null_text,
            "types": dict(sorted(self.types.items())),
        }


def parse_table(text: str) -> TablePlace:
    """Return the place that a dotted name says; a part in double quotes may have dots in it.

    Raises
    ------
    InvalidInput
        It is no name of a table in a namespace.
    """
    parts: list[str] = []
    position = 0
    while match := _PART.match(text, position):
        parts.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        position = match.end()
        if position == len(text) or text[position] != ".":
            break
        position += 1
    if position != len(text) or len(parts) < 2 or text.endswith("."):
        raise InvalidInput.at("/table", "name", f"{text!r} is no table: write namespace.table.")
    return TablePlace(check_levels(parts[:-1]), check_name(parts[-1], what="table name"))


def parse_request(body: Mapping[str, Any], *, file_name: str) -> IngestRequest:
    """Return what is asked for, of a JSON object whose fields have been checked for their names.

    Parameters
    ----------
    file_name
        Says the format and compression where the body does not.

    Raises
    ------
    InvalidInput
        Every field that is wrong.
    """
    fields = Fields(dict(body), FIELDS)
    table = fields.text("table")
    mode = fields.choice("mode", MODES, "create")
    delimiter = fields.text("delimiter") if fields.has("delimiter") else None
    null_text = fields.text("null") if fields.has("null") else None
    header = fields.boolean("header", True) if fields.has("header") else None
    evolve, dry_run = fields.boolean("evolve", False), fields.boolean("dry_run", False)
    file_format, compression = _format_of(fields, file_name)
    types = _types(fields)
    if delimiter is not None and not (1 <= len(delimiter.encode()) <= 4 and delimiter not in ("\n", "\r", '"')):
        fields.fault("delimiter", "range", "Expected a separator of one to four bytes.")
    if any("\0" in text for text in (delimiter or "", null_text or "", *types)):
        fields.fault("types", "nul", "NUL is in no name of a column and no text here.")
    fields.check()
    return IngestRequest(
        parse_table(table), mode, file_format, compression, delimiter, header, null_text, types, evolve, dry_run
    )


def _format_of(fields: Fields, file_name: str) -> tuple[str, str]:
    *_, before, last = ["", "", *file_name.lower().split(".")]
    compression = _COMPRESSIONS.get(last, "none")
    ending = before if last in _COMPRESSIONS else last
    if fields.has("format"):
        return fields.choice("format", FORMATS, "csv"), compression
    if ending not in _ENDINGS:
        fields.fault("format", "required", f"{file_name!r} does not tell its format: give one of {', '.join(FORMATS)}.")
        return "csv", compression
    return _ENDINGS[ending], compression


def _types(fields: Fields) -> dict[str, str]:
    given = fields.raw("types") if fields.has("types") else {}
    if not isinstance(given, dict) or len(given) > MAX_TYPES:
        fields.fault("types", "type", 'Expected an object of types by column, as in {"zip": "string"}.')
        return {}
    found = {}
    for column, kind in given.items():
        try:
            found[str(column)] = check_override(str(column), kind)
        except InvalidInput as error:
            fields.faults.extend(error.faults)
    return found


def object_key(body: object) -> str:
    """Return the key of the object that is to be taken: below `imports/`, so that nobody reads what else is there.

    Raises
    ------
    InvalidInput
        There is none, or it lies elsewhere.
    """
    fields = Fields(body, FIELDS)
    if not fields.has("object"):
        raise InvalidInput.at(
            "/file", "required", "Send the file as `file` of a form, or the key of an object as `object`."
        )
    key = fields.text("object")
    parts = key.split("/")
    if not key.startswith(IMPORT_FOLDER) or any(part in ("", ".", "..") for part in parts) or _NO_KEY.search(key):
        fields.fault("object", "outside", f"Expected the key of an object below {IMPORT_FOLDER}.")
    fields.check()
    return key
