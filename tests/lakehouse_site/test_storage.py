"""The storage that the settings make, on local files and on real S3 services, healthy and faulty."""

from __future__ import annotations

import runpy
import secrets
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, storages

from lakehouse_site.environment import MEBIBYTE
from tests.conftest import MakeServer
from tests.fault_proxy import Fault, FaultProxy, run_fault_proxy
from tests.processes import ROOT, Server
from tests.s3 import S3Endpoint

LARGE = 20 * MEBIBYTE  # three parts
# Two attempts of 20 s and the pause between them, and what a loaded machine adds.
LONGEST_READY_SECONDS = 60
API_SECONDS = 10
MakeHttp = Callable[[Server], httpx.Client]


@contextmanager
def configured_storage(environment: dict[str, str]) -> Iterator[Any]:
    """Make the default storage of a process with this environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        config = runpy.run_path(str(ROOT / "lakehouse_site" / "settings.py"))["STORAGES"]["default"]
        storage: Any = storages.create_storage(config)
        try:
            yield storage
        finally:
            if "LAKEHOUSE_S3_BUCKET" in environment:
                storage.connection.meta.client.close()


@pytest.fixture(params=["local", "rclone", "rclone-tls", "moto"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    environment = {"LAKEHOUSE_DATA_DIR": str(tmp_path)}
    if request.param != "local":
        fixture = {"rclone": "s3", "rclone-tls": "_s3_tls", "moto": "_s3_moto"}[request.param]
        environment |= request.getfixturevalue(fixture).new_bucket().environment
    with configured_storage(environment) as made:
        yield made


def _read(storage: Storage, name: str) -> bytes:
    with storage.open(name) as stored:
        content: bytes = stored.read()
        return content


# --- what holds for every storage ------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, 1_000, LARGE])
def test_what_was_saved_reads_back_the_same(storage: Storage, size: int) -> None:
    content = secrets.token_bytes(size)

    name = storage.save("indexes/7/graph.lhv1", ContentFile(content))

    assert name == "indexes/7/graph.lhv1"
    assert storage.size(name) == size
    assert _read(storage, name) == content


def test_a_second_object_of_the_same_name_gets_another(storage: Storage) -> None:
    first = storage.save("a/object", ContentFile(b"first"))

    second = storage.save("a/object", ContentFile(b"second"))

    assert first != second
    assert (_read(storage, first), _read(storage, second)) == (b"first", b"second")


def test_a_deleted_object_is_gone_and_deleting_it_again_is_no_error(storage: Storage) -> None:
    name = storage.save("a/object", ContentFile(b"x"))
    assert storage.exists(name)

    storage.delete(name)
    storage.delete(name)

    assert not storage.exists(name)


def test_a_missing_object_is_a_file_not_found(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        _read(storage, "never/saved")
    with pytest.raises(FileNotFoundError):
        storage.size("never/saved")


def test_a_listing_has_the_objects_and_the_folders_of_one_level(storage: Storage) -> None:
    for name in ("a/one", "a/two", "a/b/three", "other"):
        storage.save(name, ContentFile(b"x"))

    folders, files = storage.listdir("a")

    assert (sorted(folders), sorted(files)) == (["b"], ["one", "two"])


def test_a_large_object_is_never_in_memory_whole(storage: Storage, tmp_path: Path) -> None:
    size = 64 * MEBIBYTE
    path = tmp_path / "large"
    path.write_bytes(secrets.token_bytes(size))
    tracemalloc.start()
    try:
        with path.open("rb") as source:
            name = storage.save("large", File(source))
        with storage.open(name) as stored:
            read = sum(len(chunk) for chunk in stored.chunks(MEBIBYTE))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert read == size
    assert peak < size / 2


# --- faults, seen by the storage -------------------------------------------------------------------------------------
@pytest.fixture(params=["_s3_moto", "s3"])
def proxied(request: pytest.FixtureRequest) -> Iterator[tuple[Any, FaultProxy]]:
    """A storage on either service, and the proxy between them."""
    endpoint: S3Endpoint = request.getfixturevalue(request.param).new_bucket()
    with (
        run_fault_proxy(endpoint.url) as proxy,
        configured_storage(endpoint.through(proxy.url).environment) as storage,
    ):
        yield storage, proxy


ANSWERED_WRONGLY = (Fault.TRUNCATED_BODY, Fault.WRONG_BODY)
BROKEN = [fault for fault in Fault if fault is not Fault.HANG and fault not in ANSWERED_WRONGLY]


@pytest.mark.parametrize("fault", BROKEN)
def test_a_read_that_fails_raises_and_the_next_is_well(proxied: tuple[Any, FaultProxy], fault: Fault) -> None:
    storage, proxy = proxied
    name = storage.save("a/object", ContentFile(b"content"))

    proxy.inject(fault, methods={"GET"})
    with pytest.raises(Exception):  # noqa: B017, PT011 - botocore and s3transfer share no class of errors
        _read(storage, name)
    proxy.clear()

    assert proxy.faults == {fault: 2}
    assert _read(storage, name) == b"content"


@pytest.mark.parametrize("fault", [fault for fault in BROKEN if not fault.needs_answer])
@pytest.mark.parametrize("size", [7, LARGE])
def test_one_fault_in_a_save_is_survived_and_two_raise(
    proxied: tuple[Any, FaultProxy], fault: Fault, size: int
) -> None:
    storage, proxy = proxied
    content = secrets.token_bytes(size)

    proxy.inject(fault, methods={"PUT"}, times=1)
    name = storage.save("a/object", ContentFile(content))
    assert proxy.faults == {fault: 1}
    assert _read(storage, name) == content

    proxy.inject(fault, methods={"PUT"})
    with pytest.raises(Exception):  # noqa: B017, PT011 - botocore and s3transfer share no class of errors
        storage.save("another/object", ContentFile(content))


@pytest.mark.parametrize("fault", ANSWERED_WRONGLY)
def test_who_reads_must_verify_what_a_storage_gives(proxied: tuple[Any, FaultProxy], fault: Fault) -> None:
    storage, proxy = proxied
    content = secrets.token_bytes(1_000)
    name = storage.save("a/object", ContentFile(content))

    proxy.inject(fault, methods={"GET"})
    read = _read(storage, name)

    assert read != content
    assert len(read) == (500 if fault is Fault.TRUNCATED_BODY else 1_000)


def test_what_hangs_ends_when_the_fault_is_cleared(proxied: tuple[Any, FaultProxy]) -> None:
    storage, proxy = proxied
    name = storage.save("a/object", ContentFile(b"content"))
    proxy.inject(Fault.HANG)

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_read, storage, name)
        proxy.wait_for_fault(Fault.HANG)
        assert not reading.done()
        proxy.clear()

        assert reading.result(API_SECONDS) == b"content"


# --- a server on S3 --------------------------------------------------------------------------------------------------
def _assert_not_ready(http: httpx.Client, *, within_seconds: float = 30) -> None:
    response = http.get("/ready", timeout=within_seconds)
    assert (response.status_code, response.headers["Content-Type"]) == (503, "application/problem+json")
    assert [error["code"] for error in response.json()["errors"]] == ["storage"]


def _assert_api_answers(http: httpx.Client) -> None:
    name = f"index-{secrets.token_hex(6)}"
    items = [{"id": "a", "vector": [1, 0]}]
    begun = time.monotonic()
    assert http.get("/health").status_code == 200
    assert http.post("/v1/vectors/index", json={"name": name, "dimension": 2}).status_code == 201
    assert http.post(f"/v1/vectors/index/{name}/add", json={"items": items}).status_code == 200
    found = http.post(f"/v1/vectors/index/{name}/search", json={"vector": [1, 0], "k": 1})
    assert [result["id"] for result in found.json()["results"]] == ["a"]
    assert time.monotonic() - begun < API_SECONDS


def test_a_server_on_s3_is_ready_and_leaves_nothing(
    make_server: MakeServer, make_http: MakeHttp, s3_endpoint: S3Endpoint
) -> None:
    http = make_http(make_server(**s3_endpoint.environment))

    assert http.get("/ready").json() == {"status": "ready"}
    assert s3_endpoint.keys("_ready/") == set()


def test_nothing_but_the_address_and_the_credentials_is_needed(
    make_server: MakeServer, make_http: MakeHttp, s3: S3Endpoint, tmp_path: Path
) -> None:
    needed = ("LAKEHOUSE_S3_", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "NO_PROXY", "no_proxy")
    environment = {name: value for name, value in s3.environment.items() if name.startswith(needed)}

    http = make_http(make_server(HOME=str(tmp_path), **environment))

    assert http.get("/ready").json() == {"status": "ready"}


@pytest.mark.parametrize(
    ("change", "logged"),
    [
        ({"secret_key": "wrong"}, "403"),
        ({"access_key": "wrong"}, "403"),
        ({"access_key": "", "secret_key": ""}, "Unable to locate credentials"),
        ({"bucket": "no-such-bucket"}, "NoSuchBucket"),
    ],
)
def test_a_server_with_wrong_credentials_or_bucket_is_not_ready_and_logs_why(
    make_server: MakeServer, make_http: MakeHttp, s3: S3Endpoint, change: dict[str, str], logged: str
) -> None:
    server = make_server(**replace(s3, **change).environment)  # type: ignore[arg-type]

    _assert_not_ready(make_http(server))

    assert logged in server.log()
    assert s3.secret_key not in server.log()


def test_a_server_is_not_ready_while_its_storage_fails_and_goes_on_answering(
    make_server: MakeServer, make_http: MakeHttp, s3: S3Endpoint
) -> None:
    with run_fault_proxy(s3.url) as proxy:
        http = make_http(make_server(**s3.new_bucket().through(proxy.url).environment))
        for fault in Fault:
            if fault is not Fault.HANG:
                proxy.inject(fault)
                _assert_not_ready(http)
                _assert_api_answers(http)
                proxy.clear()
                assert http.get("/ready").json() == {"status": "ready"}, fault

    _assert_not_ready(http)  # nobody listens there any more
    _assert_api_answers(http)


@pytest.mark.slow
def test_a_storage_that_hangs_does_not_hold_the_server(
    make_server: MakeServer, make_http: MakeHttp, s3: S3Endpoint, fault_proxy: FaultProxy
) -> None:
    http = make_http(make_server(**s3.new_bucket().through(fault_proxy.url).environment))
    fault_proxy.inject(Fault.HANG)

    with ThreadPoolExecutor(1) as pool:
        ready = pool.submit(_assert_not_ready, http, within_seconds=LONGEST_READY_SECONDS)
        fault_proxy.wait_for_fault(Fault.HANG)
        _assert_api_answers(http)
        ready.result()
    fault_proxy.clear()

    # The call that hangs is given up after its own time-out; nobody waits for it, but none begins beside it.
    deadline = time.monotonic() + LONGEST_READY_SECONDS
    while http.get("/ready").json() != {"status": "ready"}:
        assert time.monotonic() < deadline
        time.sleep(0.2)
