from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.factories import add, make_index
from vectors import indexes

pytestmark = pytest.mark.usefixtures("vectors_db")


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_an_index_is_created_listed_and_filled(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text('{"id": "a", "vector": [1, 2]}\n{"id": "b", "vector": [3, 4]}\n')

    created = run_json("index_create", "docs", "--dimension", "2", "--distance", "dot", "--ef-search", "99")
    imported = run_json("index_import", "docs", str(file))
    listed = run_json("index_list")

    assert (created["name"], created["distance"], created["ef_search"]) == ("docs", "dot", 99)
    assert imported == {"index": "docs", "read": 2, "added": 2, "updated": 0, "count": 2}
    assert [(index["name"], index["count"]) for index in listed] == [("docs", 2)]


def test_listing_for_people_names_every_index() -> None:
    assert "index_create" in run("index_list")
    make_index("a-rather-long-name-of-an-index")

    lines = run("index_list").splitlines()

    assert lines[0].split()[:2] == ["NAME", "ITEMS"]
    assert lines[1].split()[:3] == ["a-rather-long-name-of-an-index", "0", "3"]


def test_a_merge_by_command() -> None:
    make_index("a")
    make_index("b")
    add("a", [{"id": "x", "vector": [1, 0, 0]}])

    dry = run("index_merge", "a", "b", "--dry-run", "--clear-source")
    done = run_json("index_merge", "a", "b", "--clear-source", "--on-conflict", "overwrite")

    assert dry.startswith("Would merge a into b: 1 scanned, 1 added")
    assert (done["added"], done["deleted"], done["source_count"], done["dest_count"]) == (1, 1, 0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("index_create", "docs", "--dimension", "3"), "exists"),
        (("index_create", "no/slash", "--dimension", "3"), "/name"),
        (("index_create", "new", "--dimension", "0"), "/dimension"),
        (("index_merge", "docs", "docs"), "itself"),
        (("index_merge", "docs", "nix"), "'nix'"),
        (("index_merge", "nix", "docs"), "'nix'"),
        (("index_import", "nix", "file.jsonl"), "'nix'"),
        (("index_import", "docs", "/nowhere/file.jsonl"), "/nowhere/file.jsonl"),
        (("index_import", "docs", "file.npy"), "--items"),
        (("index_import", "docs", "file.jsonl", "--batch", "0"), "--batch"),
    ],
)
def test_what_cannot_be_done_ends_with_one_clear_line(arguments: tuple[str, ...], message: str) -> None:
    make_index()

    with pytest.raises(CommandError, match=message):
        run(*arguments)

    assert [index.name for index in indexes.list_indexes()] == ["docs"]
