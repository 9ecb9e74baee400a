from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from lakehouse_site.errors import DamagedFile, InvalidInput
from tests.factories import add, found_keys, make_index
from tests.vectors.lhv1_files import DESCRIPTION, GOLDEN, PAGES, items_of, lhv1_bytes
from tests.vectors.test_lhv1_go import ORDER
from vectors import contents, indexes
from vectors.imports import import_items
from vectors.lhv1 import Page

pytestmark = pytest.mark.usefixtures("vectors_db")

GOOD_PAGES = [PAGES[0]]


def write(folder: Path, data: bytes) -> Path:
    file = folder / "items.lhv1"
    file.write_bytes(data)
    return file


def stored(name: str = "docs") -> dict[str, tuple[bytes, str | None]]:
    with contents.one_moment(indexes.index_state(name=name)) as state:
        return {key: (vector, text) for key, _, vector, text in items_of(contents.pages(state))}


def page(*items: tuple[str, list[float], str | None]) -> Page:
    vectors = np.array([item[1] for item in items], "<f4").tobytes()
    labels = np.arange(1, len(items) + 1, dtype=np.int64)
    return Page([item[0] for item in items], labels, vectors, [item[2] for item in items])


def test_an_index_that_does_not_exist_is_made_as_the_file_says(tmp_path: Path) -> None:
    result = import_items(name="docs", file=write(tmp_path, lhv1_bytes(GOOD_PAGES)), batch_items=2)

    state = indexes.index_state(name="docs")
    assert (result.read, result.added, result.count) == (3, 3, 3)
    assert (state.dimension, state.distance, state.m, state.ef_construction, state.ef_search) == (
        2, "cosine", 16, 200, 64,
    )  # fmt: skip
    assert state.id != DESCRIPTION.uuid  # what files of the other index say must not be taken for this one's
    assert stored() == {key: (vector, text) for key, _, vector, text in items_of(GOOD_PAGES)}


@pytest.mark.parametrize("version", [1, 2])
def test_files_of_the_go_service_are_imported_and_searched(version: int) -> None:
    result = import_items(name="docs", file=GOLDEN / f"v{version}.lhv1")

    assert (result.read, result.count) == (len(ORDER[version]), len(ORDER[version]))
    assert stored() == {f"k{n}": (struct.pack("<2f", n, 1), f'{{"n": {n}}}' if n % 3 else None) for n in ORDER[version]}
    assert found_keys("docs", [7, 1], k=1) == ["k7"]
    assert found_keys("docs", [7, 1], k=3, exact=True) == (["k7", "k8", "k10"] if version == 1 else ["k7", "k8", "k6"])
    assert indexes.index_state(name="docs").ef_search == 20


def test_items_are_added_to_those_an_index_has(tmp_path: Path) -> None:
    make_index(dimension=2)
    add("docs", [{"id": "a", "vector": [9, 9], "metadata": {"keep": 1}}, {"id": "b", "vector": [1, 1]}])
    file = write(tmp_path, lhv1_bytes([page(("a", [1, 2], None), ("c", [3, 4], '{"x":1}'))]))

    result = import_items(name="docs", file=file)

    assert (result.added, result.updated, result.count) == (1, 1, 3)
    assert stored()["a"] == (struct.pack("<2f", 1, 2), '{"keep":1}')


@pytest.mark.parametrize(
    "text",
    [
        '{"n": 123456789012345678901234567890, "n" : 1E300 , "x":0.10000000000000000555}',
        '{"u":"\\u0000\\u00fc/\\/"}',
        "{ }",
        '{"a":' * 253 + "{}" + "}" * 253,
    ],
)
def test_metadata_survive_to_the_letter(tmp_path: Path, text: str) -> None:
    import_items(name="docs", file=write(tmp_path, lhv1_bytes([page(("a", [1, 2], text))])))

    assert stored()["a"][1] == text


def test_every_bad_item_is_named_and_its_batch_is_not_written(tmp_path: Path) -> None:
    items: list[tuple[str, list[float], str | None]] = [
        ("good", [1, 2], None),
        ("zero", [0, 0], None),
        ("nan", [1, float("nan")], None),
        ("", [1, 2], None),
        ("nul\0", [1, 2], None),
        ("text", [1, 2], "[1]"),
        ("no json", [1, 2], '{"a":'),
        ("surrogate", [1, 2], '{"a":"\\ud800"}'),
        ("deep", [0, 0], '{"a":' * 254 + "{}" + "}" * 254),
    ]
    file = write(tmp_path, lhv1_bytes([page(*items)]))

    with pytest.raises(InvalidInput) as caught:
        import_items(name="docs", file=file)

    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [
        ("item 1 'zero'/vector", "zero_vector"),
        ("item 2 'nan'/vector", "not_finite"),
        ("item 3 ''/id", "length"),
        ("item 4 'nul\\x00'/id", "nul"),
        ("item 5 'text'/metadata", "type"),
        ("item 6 'no json'/metadata", "not_json"),
        ("item 7 'surrogate'/metadata", "not_json"),
        ("item 8 'deep'/metadata", "too_deep"),
        ("item 8 'deep'/vector", "zero_vector"),
    ]
    assert stored() == {}


@pytest.mark.parametrize("position", [0, 5, 40, 4_000, 4_100, 4_200, -1])
def test_a_damaged_file_changes_nothing(tmp_path: Path, position: int) -> None:
    data = bytearray(lhv1_bytes(GOOD_PAGES))
    data[position] ^= 1

    with pytest.raises(DamagedFile):
        import_items(name="docs", file=write(tmp_path, bytes(data)))

    assert list(indexes.list_indexes()) == []


def test_an_index_of_another_shape_is_refused_by_both_names(tmp_path: Path) -> None:
    make_index("wide", dimension=3)
    make_index("dot", dimension=2, distance="dot")
    file = write(tmp_path, lhv1_bytes(GOOD_PAGES))

    with pytest.raises(InvalidInput, match=r"holds 2 numbers.*'wide' takes 3"):
        import_items(name="wide", file=file)
    with pytest.raises(InvalidInput, match=r"cosine.*'dot' takes 2 under dot"):
        import_items(name="dot", file=file)


def test_parameters_no_index_takes_are_refused(tmp_path: Path) -> None:
    data = lhv1_bytes(GOOD_PAGES)
    head = data[:4096].replace(b'"m":16', b'"m":99999').replace(b"}    ", b"} ", 1)
    file = write(tmp_path, head + data[4096:-32] + hashlib.sha256(head).digest())

    with pytest.raises(InvalidInput, match="/m: 99999 is outside"):
        import_items(name="docs", file=file)
    with pytest.raises(InvalidInput, match="/name"):
        import_items(name="no/slash", file=write(tmp_path, data))
    assert list(indexes.list_indexes()) == []


def test_the_graph_of_a_file_is_not_looked_at(tmp_path: Path) -> None:
    file = write(tmp_path, lhv1_bytes(GOOD_PAGES, graph=b"hnswlib would crash on this" * 1_000))

    import_items(name="docs", file=file)

    assert found_keys("docs", [1, 0], k=1) == ["k0"]


def test_a_name_that_says_nothing_of_the_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"\.jsonl, \.npy, \.parquet, \.lhv1"):
        import_items(name="docs", file=tmp_path / "items.csv")
    (tmp_path / "folder.lhv1").mkdir()
    for missing in ("nix.lhv1", "folder.lhv1"):
        with pytest.raises(InvalidInput, match="cannot be read"):
            import_items(name="docs", file=tmp_path / missing)
