"""What other servers and other settings get."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from lakehouse_site import gunicorn_conf

ROOT = Path(__file__).resolve().parents[2]


def _settings(tmp_path: Path, *names: str, **environment: str) -> dict[str, Any]:
    """Return settings as a process with this environment has them."""
    code = (
        "import json, sys; from django.conf import settings;"
        "print(json.dumps({n: getattr(settings, n) for n in sys.argv[1:]}, default=str))"
    )
    base = {
        name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "AWS_", "DATABASE"))
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        env={
            **base,
            "DJANGO_SETTINGS_MODULE": "lakehouse_site.settings",
            "LAKEHOUSE_DATA_DIR": str(tmp_path),
            **environment,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_defaults_are_sqlite_and_files_in_the_data_directory(tmp_path: Path) -> None:
    found = _settings(tmp_path, "DATABASES", "STORAGES", "DEBUG", "ALLOWED_HOSTS", "LAKEHOUSE_VECTOR_MEMORY_MB")

    assert found["DATABASES"]["default"]["NAME"] == str(tmp_path / "lakehouse.sqlite3")
    assert "synchronous=FULL" in found["DATABASES"]["default"]["OPTIONS"]["init_command"]
    assert found["STORAGES"]["default"]["OPTIONS"]["location"] == str(tmp_path / "objects")
    assert found["DEBUG"] is False
    assert found["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert found["LAKEHOUSE_VECTOR_MEMORY_MB"] > 100


def test_postgres_and_s3_are_two_variables_away(tmp_path: Path) -> None:
    found = _settings(
        tmp_path,
        "DATABASES",
        "STORAGES",
        DATABASE_URL="postgres://me:p%40ss@db.example:5433/lake",
        LAKEHOUSE_S3_BUCKET="lake",
        LAKEHOUSE_S3_ENDPOINT_URL="http://127.0.0.1:9000",
    )

    database, storage = found["DATABASES"]["default"], found["STORAGES"]["default"]
    assert (database["ENGINE"], database["PASSWORD"], database["PORT"]) == (
        "django.db.backends.postgresql",
        "p@ss",
        5433,
    )
    assert (database["CONN_MAX_AGE"], database["CONN_HEALTH_CHECKS"]) == (None, True)
    assert storage["BACKEND"] == "storages.backends.s3.S3Storage"
    assert storage["OPTIONS"]["file_overwrite"] is False


@pytest.mark.parametrize(
    ("environment", "hosts"),
    [
        ({"LAKEHOUSE_AUTH_TOKEN": "x", "LAKEHOUSE_ALLOW_NON_LOOPBACK": "1"}, ["*"]),
        ({"LAKEHOUSE_ALLOW_NON_LOOPBACK": "1"}, ["localhost", "127.0.0.1", "[::1]"]),
        ({"LAKEHOUSE_ALLOWED_HOSTS": "a.example, .b.example"}, ["a.example", ".b.example"]),
    ],
)
def test_any_host_is_allowed_only_behind_a_token(tmp_path: Path, environment: dict[str, str], hosts: list[str]) -> None:
    assert _settings(tmp_path, "ALLOWED_HOSTS", **environment)["ALLOWED_HOSTS"] == hosts


def _gunicorn(*addresses: object) -> Any:
    return SimpleNamespace(cfg=SimpleNamespace(address=list(addresses)))


@pytest.mark.django_db(transaction=True)
def test_gunicorn_is_held_to_the_bind_gate(settings: Settings) -> None:
    gunicorn_conf.on_starting(_gunicorn(("127.0.0.1", 8000), "/run/lakehouse.sock"))

    with pytest.raises(SystemExit, match=r"lakehouse\.E001(.|\n)*lakehouse\.E002"):
        gunicorn_conf.on_starting(_gunicorn(("127.0.0.1", 8000), ("0.0.0.0", 8000)))  # noqa: S104

    settings.LAKEHOUSE_AUTH_TOKEN = "x"
    settings.LAKEHOUSE_ALLOW_NON_LOOPBACK = True
    gunicorn_conf.on_starting(_gunicorn(("0.0.0.0", 8000)))  # noqa: S104


@pytest.mark.parametrize(
    ("origins", "is_secure"),
    [
        ("", False),
        ("https://a.example.com,https://*.b.example.com:8443", True),
        ("https://a.example.com,http://[::1]:80", False),
    ],
)
def test_trusted_origins_reach_django_and_make_cookies_secure(tmp_path: Path, origins: str, is_secure: bool) -> None:
    names = ("CSRF_TRUSTED_ORIGINS", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")

    found = _settings(tmp_path, *names, LAKEHOUSE_TRUSTED_ORIGINS=origins)

    assert found["CSRF_TRUSTED_ORIGINS"] == [one for one in origins.split(",") if one]
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is is_secure


@pytest.mark.django_db
@pytest.mark.parametrize(("trusted", "status"), [([], 403), (["https://lakehouse.example.com"], 302)])
def test_the_admin_behind_a_proxy_that_speaks_tls(settings: Settings, trusted: list[str], status: int) -> None:
    settings.CSRF_TRUSTED_ORIGINS = trusted
    settings.ALLOWED_HOSTS = ["lakehouse.example.com"]
    User.objects.create_superuser("ada", password="lovelace")
    # As the proxy passes it on: http, the name people use, and the origin their browser sent.
    client = Client(enforce_csrf_checks=True, headers={"Host": "lakehouse.example.com"})
    client.get("/admin/login/")
    form = {"username": "ada", "password": "lovelace", "csrfmiddlewaretoken": client.cookies["csrftoken"].value}

    response = client.post("/admin/login/", form, headers={"Origin": "https://lakehouse.example.com"})

    assert response.status_code == status
