from __future__ import annotations

from pathlib import Path

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
