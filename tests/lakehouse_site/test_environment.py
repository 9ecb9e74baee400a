from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from lakehouse_site.environment import VARIABLES, parse_bind, read_all

ROOT = Path(__file__).resolve().parents[2]


def test_the_documentation_lists_every_variable_with_its_default_and_meaning() -> None:
    text = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (.+?) \| (.+?) \|$", text, flags=re.MULTILINE)

    assert rows == [(variable.name, variable.shown, variable.meaning) for variable in VARIABLES]
    secrets = re.findall(r"`([A-Z_]+)_FILE`", text)
    assert secrets == [variable.name for variable in VARIABLES if variable.secret]


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_the_default_is_what_the_documentation_says(variable: Any) -> None:
    written = re.match(r"`([^`{<]*)`", variable.shown)

    if written and isinstance(variable.default, (str, int)) and variable.default != "":
        assert variable.read(written[1]) == variable.default


def test_each_setting_has_the_variables_name() -> None:
    missing = [v.name for v in VARIABLES if v.name.startswith("LAKEHOUSE_") and not hasattr(settings, v.name)]

    assert missing == ["LAKEHOUSE_SECRET_KEY"]  # it is Django's SECRET_KEY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAKEHOUSE_MAX_BODY_BYTES", "64MB"),
        ("LAKEHOUSE_MAX_BODY_BYTES", "0"),
        ("LAKEHOUSE_MAX_BODY_BYTES", "-1"),
        ("LAKEHOUSE_MAX_BATCH_ITEMS", "1e3"),
        ("LAKEHOUSE_VECTOR_MEMORY_MB", "lots"),
        ("LAKEHOUSE_SQLITE_SYNCHRONOUS", "OFF"),
        ("LAKEHOUSE_ALLOW_NON_LOOPBACK", "flase"),
        ("LAKEHOUSE_DEBUG", "2"),
        ("LAKEHOUSE_LOG_LEVEL", "LOUD"),
        ("LAKEHOUSE_S3_ENDPOINT_URL", "s3.example.com"),
        ("LAKEHOUSE_ALLOWED_HOSTS", "https://example.com"),
        ("LAKEHOUSE_ALLOWED_HOSTS", "example.com:8000"),
        ("LAKEHOUSE_TRUSTED_ORIGINS", "lakehouse.example.com"),
        ("LAKEHOUSE_TRUSTED_ORIGINS", "https://lakehouse.example.com/admin"),
        ("LAKEHOUSE_TRUSTED_ORIGINS", "https://a.example.com,ftp://b.example.com"),
        ("LAKEHOUSE_THROTTLE_RATES", "100/second"),
        ("LAKEHOUSE_THROTTLE_RATES", "read=0/second"),
        ("LAKEHOUSE_THROTTLE_RATES", "fly=1/second"),
        ("LAKEHOUSE_BIND", "127.0.0.1:99999"),
        ("LAKEHOUSE_BIND", "::1:8000"),
        ("LAKEHOUSE_AUTH_TOKEN", "two words"),
        ("LAKEHOUSE_AUTH_TOKEN", "tökén"),
        ("DATABASE_URL", "mysql://user:hunter2@host/name"),
        ("DATABASE_URL", "postgres://user:hunter2@host:port/name"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("DATABASE_URL", "nonsense"),
    ],
)
def test_a_wrong_value_stops_the_start_with_the_variables_name_and_what_is_right(name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        read_all({name: value})

    assert str(caught.value).startswith(name)
    assert re.search(r"write|must be|is made of", str(caught.value))
    assert "hunter2" not in str(caught.value)


def test_manage_py_reports_a_wrong_value_in_one_line_without_a_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "check"],
        env={"LAKEHOUSE_DATA_DIR": str(tmp_path), "LAKEHOUSE_MAX_BODY_BYTES": "64MB", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert done.stderr.strip().count("\n") == 0
    assert "LAKEHOUSE_MAX_BODY_BYTES" in done.stderr


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_a_blank_variable_is_an_absent_one(variable: Any) -> None:
    assert read_all({variable.name: " "})[variable.name] == variable.default


def test_a_secret_is_read_from_a_file_without_its_newline(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("$ecret\n", encoding="utf-8")

    assert read_all({"LAKEHOUSE_AUTH_TOKEN_FILE": str(file)})["LAKEHOUSE_AUTH_TOKEN"] == "$ecret"


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_secret_file_that_is_missing_or_empty_stops_the_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content, encoding="utf-8")

    with pytest.raises(ImproperlyConfigured, match="LAKEHOUSE_AUTH_TOKEN_FILE"):
        read_all({"LAKEHOUSE_AUTH_TOKEN_FILE": str(file)})


def test_a_secret_given_twice_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="both set"):
        read_all({"LAKEHOUSE_AUTH_TOKEN": "a", "LAKEHOUSE_AUTH_TOKEN_FILE": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("127.0.0.1:9000", ("127.0.0.1", 9000)),
        ("localhost", ("localhost", 8000)),
        ("[::1]:8000", ("::1", 8000)),
        ("[::1]", ("::1", 8000)),
        ("9000", ("127.0.0.1", 9000)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),  # noqa: S104
    ],
)
def test_bind_addresses(text: str, bind: tuple[str, int]) -> None:
    assert parse_bind(text) == bind


@pytest.mark.parametrize(
    "text", ["", ":8000", "::1", "host:", "host:0", "host:65536", "host:-1", "host:x", "[::1]x", "[]:1"]
)
def test_malformed_bind_addresses(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|port"):
        parse_bind(text)
