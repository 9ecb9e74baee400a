"""The references of the catalog beside the code: calls, scopes, errors, limits."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import resolve

from catalog import errors, ingest_types, json_places, names, new_snapshots, requirements, schemas, table_updates
from catalog.data_openapi import CALLS as DATA_CALLS
from catalog.dataset_openapi import CALLS as DATASET_CALLS
from catalog.ingest_requests import FIELDS, MODES
from catalog.ingest_source import FORMATS as FILE_FORMATS
from catalog.ingest_source import MAX_LINE_BYTES, SAMPLE_ROWS
from catalog.locations import MAX_LOCATION_LENGTH
from catalog.protocol.endpoints import ENDPOINTS
from catalog.protocol.paging import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from catalog.protocol_errors import _BY_STATUS
from catalog.query import DEFAULT_LIMIT, MAX_ANSWER_BYTES, MAX_LIMIT, WAIT_SECONDS
from catalog.query_tables import MAX_FETCHED_BYTES, MAX_FILES
from catalog.query_values import FORMATS
from catalog.recorded import LIFETIME
from catalog.registrations import MAX_LOCATION_BYTES
from catalog.sql_tree import MAX_SQL_CHARACTERS, MAX_TABLES
from catalog.warehouse_files import MAX_READ_BYTES
from lakehouse_site.errors import LakehouseError
from lakehouse_site.problems import _STATUS
from tests.docs.pages import page

MIB = 1024 * 1024
PROTOCOL = page("reference/iceberg-protocol.md")
API = page("reference/http-catalog.md")
LOAD = page("how-to/load-and-query-tables.md")


def view_of(path: str) -> Any:
    plain = re.sub(r"\{(\w+)\}", lambda match: f"shop.{match[1]}", path)
    return resolve(plain).func.view_class  # type: ignore[attr-defined]  # all are views of classes


def test_the_protocol_page_lists_what_is_served_with_its_scope() -> None:
    rows = re.findall(r"^\| `(\w+) (/v1/\{prefix\}\S*)` \| `(\w+)`", PROTOCOL, re.MULTILINE)

    assert [f"{method} {path}" for method, path, _ in rows] == list(ENDPOINTS)
    for method, path, scope in rows:
        assert view_of(f"/iceberg{path}").required_scopes[method] == scope, (method, path)


def test_the_protocol_page_names_every_error_under_its_status() -> None:
    written = {
        name: {int(status) for status in line.split("|")[1].split(",")}
        for line in PROTOCOL.splitlines()
        if re.match(r"\| \d{3}", line)
        for name in re.findall(r"`(\w+(?:Exception|Error))`", line.split("|")[2])
    }
    own = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, LakehouseError)]
    expected: dict[str, set[int]] = {}
    for one in own:
        if hasattr(one, "exception"):
            status = next(_STATUS[base] for base in one.__mro__ if base in _STATUS)
            expected.setdefault(one.exception, set()).add(status)
    for status, name in _BY_STATUS.items():
        if status != 408:  # of queries, which are not the protocol's
            expected.setdefault(name, set()).add(status)

    assert written == expected


def test_the_api_page_lists_the_calls_with_their_scopes() -> None:
    rows = re.findall(r"^\| `(GET|POST) (/\S+)` \| (.*?) \| `(\w+)`", API, re.MULTILINE)
    calls = {**DATA_CALLS, **DATASET_CALLS}

    assert {text for _, _, text, _ in rows} == {call.summary for call in calls.values()} | {
        "Run read-only SQL over the tables"
    }
    for method, path, _, scope in rows:
        assert view_of(f"/v1/catalog{path}").required_scopes[method] == scope, (method, path)


def test_the_pages_name_all_fields_formats_modes_and_types() -> None:
    ingest = API.partition("## Ingest")[2].partition("## Query")[0]

    for word in (*FIELDS, *MODES, *FILE_FORMATS):
        assert f"`{word}`" in ingest, word
    for text in (LOAD, ingest):
        assert all(f"`{name}`" in text for name in ingest_types._TO_SQL)
    assert all(f"`{name}`" in API for name in FORMATS)


@pytest.mark.parametrize(
    ("text", "shown", "constant"),
    [
        (PROTOCOL, "(100, at most 1,000)", (DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE) == (100, 1000)),
        (PROTOCOL, "Within 24\nhours", LIFETIME.total_seconds() == 24 * 3600),
        (PROTOCOL, f"{names.MAX_NAME_CHARACTERS} characters", True),
        (PROTOCOL, f"{names.MAX_LEVELS} levels, {names.MAX_PATH_BYTES:,} bytes", True),
        (PROTOCOL, f"{MAX_LOCATION_LENGTH:,} characters; the metadata file of `register` {MAX_LOCATION_BYTES:,}", True),
        (PROTOCOL, f"{json_places.MAX_DEPTH} levels, integers", True),
        (PROTOCOL, f"{table_updates.MAX_UPDATES:,} updates, {table_updates.MAX_DEFINITIONS:,} of them", True),
        (PROTOCOL, f"{requirements.MAX_REQUIREMENTS:,} requirements", True),
        (PROTOCOL, f"{new_snapshots.MAX_NEW_BYTES // MIB} MiB together, {MAX_READ_BYTES // MIB} MiB each", True),
        (PROTOCOL, f"{schemas.MAX_FIELDS:,} fields", True),
        (API, f"{DEFAULT_LIMIT:,} unless told, 1 to {MAX_LIMIT:,}", True),
        (LOAD, f"{DEFAULT_LIMIT:,} unless told, up to {MAX_LIMIT:,}", True),
        (LOAD, f"{MAX_ANSWER_BYTES // MIB} MiB", True),
        (LOAD, f"{MAX_SQL_CHARACTERS:,} characters, {MAX_TABLES} tables", True),
        (LOAD, f"{MAX_FILES:,} files; of one in S3 also {MAX_FETCHED_BYTES // MIB // 1024} GiB", True),
        (LOAD, f"first {SAMPLE_ROWS:,} rows", True),
        (LOAD, f"up to {MAX_LINE_BYTES // MIB} MiB", True),
        (LOAD, "five seconds in a queue", WAIT_SECONDS == 5),
    ],
)
def test_the_pages_tell_the_limits(text: str, shown: str, constant: bool) -> None:
    assert constant
    assert shown in text


def test_the_protocol_page_names_the_words_that_addresses_need() -> None:
    row = next(line for line in PROTOCOL.splitlines() if line.startswith("| a name with slashes"))

    assert set(re.findall(r"`([a-z-]+)`", row)) == names.RESERVED_PARTS
