from __future__ import annotations

from typing import Any

import pytest

from catalog.errors import BadCatalogRequest
from catalog.summaries import facts_of, schema_fingerprint, snapshots_view
from catalog.table_updates import apply_updates
from tests.catalog.table_factories import NOW, SCHEMA, append, column, schema_json, set_ref, table


def held(**summary: str) -> dict[str, Any]:
    updates = [*append(1), *append(2, 1, summary={"operation": "append", **summary}), set_ref(1, "old", "tag")]
    return apply_updates(table(), [*updates, *append(3, 2), set_ref(2)], now_ms=NOW)


def test_a_new_table_is_empty() -> None:
    facts = facts_of(table(3))

    assert (facts.format_version, facts.current_snapshot_id, facts.snapshot_count) == (3, None, 0)
    assert (facts.row_count, facts.size_bytes) == (0, 0)


@pytest.mark.parametrize(
    ("summary", "rows", "size"),
    [
        ({"total-records": "12", "total-files-size": "34"}, 12, 34),
        ({"total-records": "12", "total-position-deletes": "5"}, 7, None),
        ({"total-records": "12", "total-equality-deletes": "1"}, None, None),
        ({"total-records": "12", "total-equality-deletes": "0"}, 12, None),
        ({"total-records": "many", "total-files-size": "-3"}, None, None),
        ({"total-records": "9" * 19, "total-files-size": "9" * 5000}, 2**63 - 1, None),
        ({}, None, None),
    ],
)
def test_counts_are_those_of_the_current_snapshot(summary: dict[str, str], rows: int | None, size: int | None) -> None:
    facts = facts_of(held(**summary))

    assert (facts.current_snapshot_id, facts.snapshot_count) == (2, 3)
    assert (facts.row_count, facts.size_bytes) == (rows, size)


def test_deletion_vectors_leave_the_count_open() -> None:
    metadata = held(**{"total-records": "12", "total-position-deletes": "5"}) | {"format-version": 3}

    assert facts_of(metadata).row_count is None


def test_the_fingerprint_is_that_of_the_fields() -> None:
    spelt = schema_json(*({**one, "doc": None} for one in SCHEMA["fields"]), **{"schema-id": 7})
    renamed = schema_json(*SCHEMA["fields"][:-1], column(4, "y", "double"))

    assert facts_of(table()).schema_fingerprint == schema_fingerprint(SCHEMA) == schema_fingerprint(spelt)
    assert schema_fingerprint(renamed) != schema_fingerprint(SCHEMA)


def test_the_short_form_has_the_snapshots_of_branches_and_tags() -> None:
    metadata = held()

    assert [one["snapshot-id"] for one in snapshots_view(metadata, "refs")["snapshots"]] == [1, 2]
    assert snapshots_view(metadata, "all") == metadata
    assert len(metadata["snapshots"]) == 3
    with pytest.raises(BadCatalogRequest):
        snapshots_view(metadata, "some")
