from __future__ import annotations

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from lakehouse_site.access.services import create_token, revoke_token
from lakehouse_site.checks import bind_errors

pytestmark = pytest.mark.django_db


def _ids() -> list[str | None]:
    return [message.id for message in run_checks(tags=["access"])]


def test_the_defaults_pass() -> None:
    assert _ids() == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1"])
def test_loopback_needs_nothing(host: str) -> None:
    assert bind_errors(host) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1"])  # noqa: S104
@pytest.mark.parametrize(
    ("token", "allowed", "ids"),
    [
        ("", False, ["lakehouse.E001", "lakehouse.E002"]),
        (" ", True, ["lakehouse.E001"]),
        ("secret", False, ["lakehouse.E002"]),
        ("secret", True, []),
    ],
)
def test_any_other_address_needs_a_token_and_the_permission(
    settings: Settings, host: str, token: str, allowed: bool, ids: list[str]
) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = token
    settings.LAKEHOUSE_ALLOW_NON_LOOPBACK = allowed
    settings.LAKEHOUSE_BIND = f"[{host}]:8000" if ":" in host else f"{host}:8000"

    messages = bind_errors(host)

    assert [message.id for message in messages] == ids
    assert all("LAKEHOUSE_" in (message.hint or "") for message in messages)
    assert _ids() == ids


def test_a_token_in_the_database_counts_even_a_revoked_one(settings: Settings) -> None:
    settings.LAKEHOUSE_ALLOW_NON_LOOPBACK = True
    create_token(name="x", scope="read")
    revoke_token(name="x")

    assert bind_errors("10.0.0.1") == []


def test_a_host_that_cannot_be_resolved_is_an_error() -> None:
    assert [message.id for message in bind_errors("no-such-host.invalid")] == ["lakehouse.E004"]
    assert [message.id for message in bind_errors("a..b")] == ["lakehouse.E004"]


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("10.0.0.0/8", []),
        ("10.0.0.0/8,oops", ["lakehouse.W001"]),
        ("oops", ["lakehouse.E003", "lakehouse.W001"]),
        (",", ["lakehouse.E003"]),
    ],
)
def test_invalid_networks_are_reported(settings: Settings, value: str, ids: list[str]) -> None:
    settings.LAKEHOUSE_ALLOWED_IPS = value

    assert _ids() == ids


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("LAKEHOUSE_ALLOWED_IP", ["lakehouse.W002"]),
        ("LAKEHOUSE_AUTH_TOKENS", ["lakehouse.W002"]),
        ("LAKEHOUSE_TEST_X", []),
    ],
)
def test_a_misspelt_variable_is_reported(monkeypatch: pytest.MonkeyPatch, name: str, ids: list[str]) -> None:
    monkeypatch.setenv(name, "x")

    assert _ids() == ids
