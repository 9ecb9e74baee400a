from __future__ import annotations

import errno
import gc
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_site.errors import IndexNotFound, InvalidInput
from tests.factories import add, add_rows, delete, find, make_index, random_rows
from tests.vectors.lhv1_files import items_of, pages_of
from vectors import contents, indexes, json_lines, parquet
from vectors.exports import ExportResult, export_index
from vectors.imports import import_items
from vectors.lhv1_reader import read_envelope, read_pages, verify

pytestmark = pytest.mark.usefixtures("vectors_db")

KINDS = ["lhv1", "jsonl", "parquet"]
ODD_ROWS: list[list[float]] = [
    [1, -0.0, 1e-45],
    [3.4028234e38, -3.4028234e38, 1.1754944e-38],
    [float(json_lines.ROUNDS_TWICE), -float(json_lines.ROUNDS_TWICE), 0.1],
    [1 / 3, 16777217, 0.3],
]
ODD_KEYS = ["k/1", "ü\n\u2028\t\"'", "日本", "\x7f"]
ODD_METADATA: list[dict[str, Any] | None] = [
    {"n": 3**80, "x": 1e300, "y": 1e22, "z": -0.0},
    None,
    {},
    {"a": "\0\n\u2028", "": [None, True, {"b": {}}], "s": "\\u0000"},
]


def fill(name: str = "docs") -> None:
    """Make an index with odd items, random ones, and traces of others."""
    make_index(name, distance="euclidean", m=7, ef_construction=55, ef_search=33)
    odd = [
        {"id": key, "vector": row, "metadata": metadata}
        for key, row, metadata in zip(ODD_KEYS, ODD_ROWS, ODD_METADATA, strict=True)
    ]
    add(name, [{"id": "gone", "vector": [1, 2, 3]}, *odd])
    add_rows(name, random_rows(500, 3))
    add(name, [{"id": ODD_KEYS[0], "vector": ODD_ROWS[0]}, {"id": "i000007", "vector": [7, 7, 7]}])
    delete(name, "gone", "i000008")


def stored(name: str = "docs") -> dict[str, tuple[bytes, str | None]]:
    with contents.one_moment(indexes.index_state(name=name)) as state:
        return {key: (vector, text) for key, _, vector, text in items_of(contents.pages(state))}


def searches(name: str = "docs") -> list[Any]:
    return [find(name, row, k=7, exact=True).hits for row in [*random_rows(10, 3, seed=5), ODD_ROWS[3]]]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_exported_is_imported_bit_for_bit(tmp_path: Path, kind: str) -> None:
    fill()
    items, found, seq = stored(), searches(), indexes.index_state(name="docs").last_seq
    file = tmp_path / f"docs.{kind}"
    seen: list[int] = []

    result = export_index(name="docs", file=file, progress=seen.append)
    indexes.drop_index(name="docs")
    if kind != "lhv1":
        make_index(distance="euclidean")
    imported = import_items(name="docs", file=file, batch_items=100)

    assert result == ExportResult("docs", str(file), len(items), seq, file.stat().st_size)
    assert sum(seen) == imported.read == imported.added == imported.count == len(items) == 503
    assert stored() == items
    assert searches() == found
    assert import_items(name="docs", file=file).updated == len(items)
    assert stored() == items


def test_an_lhv1_file_says_what_it_was_made_of(tmp_path: Path) -> None:
    fill()
    state = indexes.index_state(name="docs")

    export_index(name="docs", file=tmp_path / "docs.lhv1")

    with (tmp_path / "docs.lhv1").open("rb") as file:
        envelope = read_envelope(file)
        verify(file, envelope)
        said = envelope.description
        assert (said.uuid, said.applied_seq, envelope.count) == (state.id, state.last_seq, 503)
        assert (said.params.m, said.params.ef_construction, said.params.ef_search) == (7, 55, 33)
        assert envelope.sections["graph"].length == 0
        labels = [item[1] for item in items_of(read_pages(file, envelope))]
        assert labels == sorted(labels)


def test_json_lines_hold_short_numbers_and_metadata_as_they_are(tmp_path: Path) -> None:
    make_index()
    add("docs", [{"id": "a", "vector": [0.1, 1, -2.5], "metadata": {"b": 1e22, "a": [3**80]}}])
    add("docs", [{"id": "b", "vector": [0, 0, 1e-45]}])

    export_index(name="docs", file=tmp_path / "docs.jsonl")

    assert (tmp_path / "docs.jsonl").read_text().splitlines() == [
        '{"id":"a","vector":[0.1,1.0,-2.5],"metadata":{"b":1e+22,"a":[147808829414345923316083210206383297601]}}',
        '{"id":"b","vector":[0.0,0.0,1e-45],"metadata":null}',
    ]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_every_float32_comes_back_from_its_line(numbers: list[float]) -> None:
    row = np.array([*numbers, json_lines.ROUNDS_TWICE], "<f4")
    file = io.BytesIO()

    json_lines.write(file, pages_of([("a", 1, row.tobytes(), None)], 1), len(row))

    (chunk,) = [[(1, line) for line in file.getvalue().splitlines()]]
    assert json_lines.parse_lines(chunk, len(row), "dot").vectors.tobytes() == row.tobytes()
    assert orjson.loads(orjson.dumps(row[-1:], option=orjson.OPT_SERIALIZE_NUMPY)) != row[-1:].astype(float).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_index_is_a_file_without_items(tmp_path: Path, kind: str) -> None:
    make_index()

    result = export_index(name="docs", file=tmp_path / f"docs.{kind}")

    assert (result.items, result.seq) == (0, 0)
    assert import_items(name="docs", file=tmp_path / f"docs.{kind}").read == 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_holds_one_moment(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "PAGE_BYTES", 64 * 12)
    fill()
    before, seq = stored(), indexes.index_state(name="docs").last_seq
    file = tmp_path / f"docs.{kind}"

    def interfere(count: int) -> None:
        # As another process would: this connection is inside the moment.
        def work() -> None:
            add("docs", [{"id": f"new{n}", "vector": [1, 1, 1]} for n in range(3)])
            delete("docs", "i000499")
            connection.close()

        with ThreadPoolExecutor(1) as pool:
            pool.submit(work).result(60)

    result = export_index(name="docs", file=file, progress=interfere)
    indexes.drop_index(name="docs")
    make_index(distance="euclidean")
    import_items(name="docs", file=file)

    assert result.seq == seq
    assert stored() == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_export_leaves_nothing_behind(tmp_path: Path, kind: str) -> None:
    fill()

    class Stop(BaseException):
        pass

    def stop(count: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        export_index(name="docs", file=tmp_path / f"docs.{kind}", progress=stop)

    assert list(tmp_path.iterdir()) == []
    assert indexes.index_state(name="docs").live_count == 503  # the connection is fit for use


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_said_and_leaves_nothing_behind(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("vectors.local_files.os.fsync", full)

    with pytest.raises(InvalidInput, match="disk is full"):
        export_index(name="docs", file=tmp_path / f"docs.{kind}")

    assert list(tmp_path.iterdir()) == []


class FullDisk(io.BytesIO):
    """Takes 1,000 bytes."""

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > 1_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.mark.parametrize("write", [json_lines.write, parquet.write])
def test_a_disk_that_is_full_in_the_middle_is_an_error_of_the_system(write: Any) -> None:
    items = [(f"k{i}", i, np.ones(3, "<f4").tobytes(), None) for i in range(10_000)]

    with pytest.raises(OSError, match="No space"):
        write(FullDisk(), pages_of(items, 500), 3)
    gc.collect()  # nothing may be left that writes when it is collected


def test_a_file_that_exists_is_only_replaced_by_force(tmp_path: Path) -> None:
    fill()
    file = tmp_path / "docs.jsonl"
    file.write_text("mine")

    with pytest.raises(InvalidInput, match="--force"):
        export_index(name="docs", file=file)
    assert file.read_text() == "mine"

    export_index(name="docs", file=file, force=True)
    assert len(file.read_bytes().splitlines()) == 503
    assert [path.name for path in tmp_path.iterdir()] == ["docs.jsonl"]


def test_what_a_killed_export_has_left_is_taken_over(tmp_path: Path) -> None:
    fill()
    (tmp_path / ".docs.jsonl.part").write_text("x" * 10_000_000)

    export_index(name="docs", file=tmp_path / "docs.jsonl")

    assert len((tmp_path / "docs.jsonl").read_bytes().splitlines()) == 503
    assert [path.name for path in tmp_path.iterdir()] == ["docs.jsonl"]


def test_two_exports_to_one_file_do_not_mix(tmp_path: Path) -> None:
    fill()
    file = tmp_path / "docs.jsonl"

    def again(count: int) -> None:
        with pytest.raises(InvalidInput, match="another process"):
            export_index(name="docs", file=file)

    export_index(name="docs", file=file, progress=again)

    assert len(file.read_bytes().splitlines()) == 503


def test_an_export_is_readable_as_the_umask_says(tmp_path: Path) -> None:
    make_index()
    old = os.umask(0o027)
    try:
        export_index(name="docs", file=tmp_path / "docs.jsonl")
    finally:
        os.umask(old)

    assert (tmp_path / "docs.jsonl").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("nowhere/docs.lhv1", "unwritable"),
        ("docs.csv", "unknown_kind"),
        ("docs", "unknown_kind"),
        ("folder.jsonl", "no_file"),
        ("a.txt/docs.jsonl", "unwritable"),
        ("x" * 300 + ".jsonl", "unwritable"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_where_nothing_can_be_written(tmp_path: Path, file: str, code: str, force: bool) -> None:
    make_index()
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "a.txt").touch()

    with pytest.raises(InvalidInput) as caught:
        export_index(name="docs", file=tmp_path / file, force=force)

    assert caught.value.faults[0].code == code
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "folder.jsonl"]


def test_an_index_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound):
        export_index(name="nix", file=tmp_path / "docs.lhv1")

    assert list(tmp_path.iterdir()) == []
