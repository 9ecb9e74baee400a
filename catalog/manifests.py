"""Manifest lists and manifests of strangers, read as data: which files do they name?

References
----------
Apache Iceberg table specification, "Manifests" and "Manifest Lists"; readers go by the field ids given there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from catalog.avro_files import DamagedAvro, read_header, read_records
from catalog.errors import BadCatalogRequest

DATA: Final = 0
DELETES: Final = 1
# Names and ids of the fields that are read, as the specification gives them.
_LIST_FIELDS: Final = {
    "manifest_path": 500,
    "manifest_length": 501,
    "partition_spec_id": 502,
    "added_snapshot_id": 503,
    "sequence_number": 515,
    "min_sequence_number": 516,
    "content": 517,
}
_ENTRY_FIELDS: Final = {"status": 0, "snapshot_id": 1, "data_file": 2}
_FILE_FIELDS: Final = {
    "file_path": 100,
    "record_count": 103,
    "file_size_in_bytes": 104,
    "content": 134,
    "referenced_data_file": 143,
}
_DELETED_STATUS = 2


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One manifest of a manifest list.

    Attributes
    ----------
    path
        Where it lies, as it is written; not confined yet.
    length
        In bytes.
    content
        `DATA` or `DELETES`.
    sequence_number, min_sequence_number
        0 in format version 1.
    """

    path: str
    length: int
    content: int
    partition_spec_id: int
    added_snapshot_id: int | None
    sequence_number: int
    min_sequence_number: int


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A data file or file of deletes that a manifest holds.

    Attributes
    ----------
    path
        Where it lies, as it is written; not confined yet.
    size_bytes, record_count
        As they are recorded; 0 where they are not.
    content
        0 data, 1 position deletes, 2 equality deletes.
    """

    path: str
    size_bytes: int
    record_count: int
    content: int


def read_manifest_list(data: bytes, *, name: str = "The manifest list") -> list[ManifestEntry]:
    """Return the manifests that a manifest list names.

    Parameters
    ----------
    data
        The whole file, in Avro.
    name
        What to call it in an error: its location.

    Raises
    ------
    BadCatalogRequest
        It is damaged, beyond the limits of `avro_files`, or calls its fields by other names than the specification.
    """
    try:
        header = read_header(data)
        wanted = _some_fields(header.schema, _LIST_FIELDS, ("manifest_path", "manifest_length"))
        return [_manifest(record) for record in read_records(data, header, wanted)]
    except DamagedAvro as error:
        raise BadCatalogRequest(f"{name} cannot be read as a manifest list: {error}.") from error


def data_file_paths(data: bytes, *, name: str = "The manifest") -> Iterator[str]:
    """Yield the path of every file that a manifest names, as it is written; not confined yet.

    Also of entries that say that a file was deleted, and of data files that a file of deletes refers to.

    Parameters
    ----------
    data
        The whole file, in Avro.
    name
        What to call it in an error: its location.

    Raises
    ------
    BadCatalogRequest
        While reading, as `read_manifest_list`: all of it must be read before any path is believed.
    """
    for record in _entries(data, name):
        file = record["data_file"]
        with _damage(name):
            yield _text(file, "file_path")
            # DuckDB writes an empty text where there is none.
            if file.get("referenced_data_file") not in (None, ""):
                yield _text(file, "referenced_data_file")


def live_files(data: bytes, *, name: str = "The manifest") -> Iterator[LiveFile]:
    """Yield the files that a manifest holds, without those whose removal it tells; else as `data_file_paths`."""
    for record in _entries(data, name):
        with _damage(name):
            if _number(record, "status") == _DELETED_STATUS:
                continue
            file = record["data_file"]
            sizes = (_number(file, "file_size_in_bytes"), _number(file, "record_count"))
            yield LiveFile(_text(file, "file_path"), *sizes, _number(file, "content"))


def _entries(data: bytes, name: str) -> Iterator[dict[str, Any]]:
    with _damage(name):
        header = read_header(data)
        wanted = _some_fields(header.schema, _ENTRY_FIELDS, ("data_file",))
        inner = next(one for one in wanted["fields"] if one["name"] == "data_file")
        if not isinstance(inner["type"], dict) or inner["type"].get("type") != "record":
            raise DamagedAvro("its data_file is no record")
        inner["type"] = _some_fields(inner["type"], _FILE_FIELDS, ("file_path",))
        yield from read_records(data, header, wanted)


@contextmanager
def _damage(name: str) -> Iterator[None]:
    try:
        yield
    except DamagedAvro as error:
        raise BadCatalogRequest(f"{name} cannot be read as a manifest: {error}.") from error


def _some_fields(record: Mapping[str, Any], known: Mapping[str, int], required: tuple[str, ...]) -> dict[str, Any]:
    """Return a record's schema with the known fields alone.

    Some readers go by names and some by ids, so both must say the same: else the file that was checked here is not the
    file that is read there.
    """
    ids = {field_id: name for name, field_id in known.items()}
    names = set()
    for one in record["fields"]:
        field_id = one.get("field-id")
        name = one["name"]
        if field_id is not None and (ids.get(field_id, name) != name or known.get(name, field_id) != field_id):
            raise DamagedAvro(f"its field {name[:50]!a} has the id {field_id}, which is another's")
        names.add(name)
    if missing := [name for name in required if name not in names]:
        raise DamagedAvro(f"its schema has no {missing[0]}")
    fields = [dict(one) for one in record["fields"] if one["name"] in known]
    return {"type": "record", "name": record["name"], "fields": fields}


def _manifest(record: Mapping[str, Any]) -> ManifestEntry:
    added_by = record.get("added_snapshot_id")
    return ManifestEntry(
        path=_text(record, "manifest_path"),
        length=_number(record, "manifest_length"),
        content=_number(record, "content"),
        partition_spec_id=_number(record, "partition_spec_id"),
        added_snapshot_id=None if added_by is None else _number(record, "added_snapshot_id"),
        sequence_number=_number(record, "sequence_number"),
        min_sequence_number=_number(record, "min_sequence_number"),
    )


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record[name]
    if type(value) is not str:
        raise DamagedAvro(f"its {name} is no text")
    return value


def _number(record: Mapping[str, Any], name: str) -> int:
    value = record.get(name)
    if value is None:
        return 0
    if type(value) is not int:
        raise DamagedAvro(f"its {name} is no whole number")
    return value
