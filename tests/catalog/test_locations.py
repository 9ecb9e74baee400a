from __future__ import annotations

import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import OutsideWarehouse
from catalog.locations import confine, relative_key

FOLDER = "file:///srv/lake/warehouse"
BUCKET = "s3://lake/some/warehouse"


@pytest.mark.parametrize(
    ("location", "root", "normal"),
    [
        ("file:///srv/lake/warehouse/ns/t", FOLDER, FOLDER + "/ns/t"),
        ("file:/srv/lake/warehouse/ns/t/", FOLDER, FOLDER + "/ns/t"),
        ("/srv/lake/warehouse/ns/t", FOLDER, FOLDER + "/ns/t"),
        ("file:///srv/lake/warehouse/x", "file:/srv/lake/warehouse", FOLDER + "/x"),
        (FOLDER, FOLDER, FOLDER),
        (BUCKET + "/t/data/day=1/..f.parquet", BUCKET, BUCKET + "/t/data/day=1/..f.parquet"),
        (BUCKET + "/t/data/name=a%2Fb%25/f", BUCKET, BUCKET + "/t/data/name=a%2Fb%25/f"),
        (BUCKET + "/t/data/prénom=é ü+*/f", BUCKET, BUCKET + "/t/data/prénom=é ü+*/f"),
    ],
)
def test_what_lies_inside_is_written_in_one_way(location: str, root: str, normal: str) -> None:
    assert confine(location, root=root) == normal
    assert f"{normal[: len(normal) - len(relative_key(location, root=root))]}".rstrip("/") == root.replace(
        "file:/srv", "file:///srv"
    )


@pytest.mark.parametrize(
    "location",
    [
        "",
        ".",
        "ns/t",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "/etc/passwd",
        "file://srv/lake/warehouse/t",
        "file://localhost/srv/lake/warehouse/t",
        "file:////srv/lake/warehouse/t",
        "FILE:///srv/lake/warehouse/t",
        "http://srv/lake/warehouse/t",
        FOLDER + "2/t",
        FOLDER + "/../t",
        FOLDER + "/a/../../../../etc/passwd",
        FOLDER + "/./t",
        FOLDER + "//t",
        FOLDER + "/t//",
        FOLDER + "/%2e%2e/%2e%2e/etc/passwd",
        FOLDER + "/%252e%252e/t",
        FOLDER + "/%25252525252e%25252525252e/t",
        FOLDER + "/a%2f..%2fb",
        FOLDER + "/a%5c..%5cb",
        FOLDER + "/t%00.parquet",
        FOLDER + "/t\0",
        FOLDER + "/t\n",
        FOLDER + "\\..\\t",
        FOLDER + "/t?x=1",
        FOLDER + "/t#x",
        FOLDER + "/t\ud800",
        FOLDER + "/" + "x" * 3000,
    ],
)
def test_what_lies_elsewhere_by_any_reading_is_refused(location: str) -> None:
    with pytest.raises(OutsideWarehouse):
        confine(location, root=FOLDER)


@pytest.mark.parametrize(
    "location",
    [
        "s3://other/some/warehouse/t",
        "s3://lake/some/warehouse2/t",
        "s3a://lake/some/warehouse/t",
        "S3://lake/some/warehouse/t",
        "s3://me@lake/some/warehouse/t",
        "s3://lake:80/some/warehouse/t",
        "s3://lake/some/./warehouse/t",
        "/lake/some/warehouse/t",
        "file:///some/warehouse/t",
    ],
)
def test_other_buckets_are_elsewhere(location: str) -> None:
    with pytest.raises(OutsideWarehouse):
        confine(location, root=BUCKET)


@pytest.mark.parametrize("location", [None, 3, ["file:///srv/lake/warehouse/t"], b"file:///srv/lake/warehouse/t"])
def test_what_is_no_text_is_no_location(location: object) -> None:
    with pytest.raises(OutsideWarehouse):
        confine(location, root=FOLDER)


PARTS = st.sampled_from(
    ["..", ".", "/", "%2e", "%2E", "%2f", "%25", "%", "2e", "a", "\\", "file:", "\0", "é", "?", "etc"]
)


@settings(deadline=None)
@given(st.lists(PARTS, max_size=12).map("".join) | st.text(max_size=20), st.sampled_from([FOLDER, BUCKET]))
def test_no_reader_is_led_outside(tail: str, root: str) -> None:
    try:
        found = confine(f"{root}/{tail}", root=root)
    except OutsideWarehouse:
        return

    assert confine(found, root=root) == found
    for _ in range(8):
        path = found.split("://", 1)[1]
        assert posixpath.normpath(path).startswith(root.split("://", 1)[1])
        found = unquote(found)
