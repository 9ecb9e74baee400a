from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import OperationalError
from django.test import Client

from lakehouse_site import health
from tests.lakehouse_site.shapes import assert_problem

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_health_is_ok_for_any_host(path: str) -> None:
    response = Client().get(path, headers={"Host": "who ever"})

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_health_is_only_read() -> None:
    response = Client().post("/health")

    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD"


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileSystemStorage:
    store = FileSystemStorage(location=tmp_path / "objects")
    monkeypatch.setattr(health, "default_storage", store)
    return store


def test_ready_leaves_nothing_in_the_storage(storage: FileSystemStorage) -> None:
    assert Client().get("/ready").json() == {"status": "ready"}

    assert storage.listdir("_ready") == ([], [])


def test_ready_says_which_check_failed_and_not_why(storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(storage.location).write_text("a file where the directory should be")
    monkeypatch.setattr(health, "unapplied_migrations", lambda: ["access.0001_api_token"])

    response = Client().get("/ready")

    body = assert_problem(response, 503, "not_ready")
    assert [error["code"] for error in body["errors"]] == ["migrations", "storage"]
    assert "manage.py migrate" in body["detail"]
    assert storage.location not in body["detail"]
    assert response.headers["Retry-After"] == "5"


def test_ready_reports_a_storage_that_gives_back_something_else(
    storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_save = storage.save
    monkeypatch.setattr(storage, "save", lambda name, content: real_save(name, type(content)(b"other")))

    assert_problem(Client().get("/ready"), 503, "not_ready")
    assert storage.listdir("_ready") == ([], [])


def test_ready_reports_a_database_that_fails(storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("password=hunter2")

    monkeypatch.setattr(health, "unapplied_migrations", fail)

    response = Client().get("/ready")

    assert_problem(response, 503, "not_ready")
    assert b"hunter2" not in response.content


@pytest.fixture
def hanging_storage(storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A storage that does not answer until the test has ended; the list has a name for each time it was asked."""
    answer = threading.Event()
    asked: list[str] = []
    save = storage.save

    def hang(name: str, content: Any) -> str:
        asked.append(name)
        answer.wait(60)
        return save(name, content)

    monkeypatch.setattr(storage, "save", hang)
    monkeypatch.setattr(health._StorageCheck, "_latest", None)
    yield asked
    answer.set()
    check = health._StorageCheck._latest
    assert check is not None
    check.join(60)


def test_a_storage_that_hangs_is_not_waited_for_longer_than_the_patience(
    hanging_storage: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "STORAGE_PATIENCE_SECONDS", 0.3)
    started = time.monotonic()

    body = assert_problem(Client().get("/ready"), 503, "not_ready")

    assert 0.3 <= time.monotonic() - started < 10
    assert [error["code"] for error in body["errors"]] == ["storage"]


def test_calls_at_once_share_one_look_at_the_storage_and_later_ones_do_not_wait_at_all(
    hanging_storage: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "STORAGE_PATIENCE_SECONDS", 0.5)
    with ThreadPoolExecutor(4) as pool:
        faults = list(pool.map(lambda _: health._storage(), range(4)))

    with monkeypatch.context() as during:
        during.setattr(threading.Thread, "join", lambda self, seconds: pytest.fail("waited") if seconds else None)
        faults.append(health._storage())

    assert all(fault is not None and "has not answered" in fault.detail for fault in faults)
    assert len(hanging_storage) == 1


def test_a_storage_that_has_recovered_is_seen_at_the_next_call(
    storage: FileSystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as during:
        during.setattr(storage, "save", lambda *_: (_ for _ in ()).throw(ConnectionError("no route")))
        assert_problem(Client().get("/ready"), 503, "not_ready")

    assert Client().get("/ready").status_code == 200
