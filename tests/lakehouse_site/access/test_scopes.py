"""What a caller may do: scopes, index patterns, and staff signed in to the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from lakehouse_site.access.services import create_token
from tests.lakehouse_site.access.calls import ENV_TOKEN, LOOPBACK, get, send
from tests.lakehouse_site.shapes import assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.lakehouse_site.access.views")]


# --- scopes -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("read", "GET", "/thing", 200),
        ("read", "HEAD", "/thing", 200),
        ("read", "OPTIONS", "/thing", 200),
        ("read", "POST", "/thing", 403),
        ("read", "DELETE", "/thing", 403),
        ("write", "GET", "/thing", 200),
        ("write", "POST", "/thing", 200),
        ("write", "DELETE", "/thing", 403),  # not listed and not safe: admin
        ("admin", "DELETE", "/thing", 200),
        ("read", "GET", "/bare", 200),
        ("write", "POST", "/bare", 403),
        ("admin", "POST", "/bare", 200),
        ("write", "GET", "/admin-only", 403),
        ("write", "HEAD", "/admin-only", 403),  # DRF answers HEAD with GET
        ("admin", "HEAD", "/admin-only", 200),
    ],
)
def test_a_token_out_of_scope_is_403(scope: str, method: str, path: str, status: int) -> None:
    token = create_token(name="t", scope=scope).token

    response = send(method, path, token)

    assert response.status_code == status
    if status == 403 and method != "HEAD":
        assert_problem(response, 403, "scope_too_small")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/index/docs-1", None, 200),
        ("GET", "/index/mail-1", None, 403),
        ("POST", "/index/mail-1", None, 403),
        ("POST", "/thing", b'{"name": "docs-2"}', 200),
        ("POST", "/thing", b'{"name": "mail-2"}', 403),
    ],
)
def test_an_index_pattern_limits_paths_and_bodies(method: str, path: str, body: bytes | None, status: int) -> None:
    token = create_token(name="t", scope="write", index_pattern="docs-*").token

    response = send(method, path, token, body)

    assert response.status_code == status
    if status == 403:
        assert_problem(response, 403, "index_not_covered")


def test_an_index_pattern_limits_listings() -> None:
    limited = create_token(name="limited", scope="read", index_pattern="docs-*").token
    free = create_token(name="free", scope="read").token

    assert get(token=limited).json() == {"visible": ["docs-1"]}
    assert get(token=free).json() == {"visible": ["docs-1", "mail-1"]}


# --- staff signed in to the admin -----------------------------------------------------------------------------------
def _browser(*, staff: bool, superuser: bool = False, permissions: tuple[str, ...] = ()) -> Client:
    user = User.objects.create_user("sam", password="x", is_staff=staff, is_superuser=superuser)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client(enforce_csrf_checks=True, **LOOPBACK)
    client.force_login(user)
    client.cookies["csrftoken"] = "a" * 32
    return client


def _post(client: Client, path: str = "/thing", *, csrf: bool = True) -> Any:
    headers = {"X-CSRFToken": "a" * 32} if csrf else {}
    return client.post(path, b"{}", content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    ("permissions", "read", "write"),
    [((), 403, 403), (("view_group",), 200, 403), (("view_group", "change_group"), 200, 200)],
)
def test_staff_act_within_their_django_permissions(
    settings: Settings, permissions: tuple[str, ...], read: int, write: int
) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    client = _browser(staff=True, permissions=permissions)

    assert client.get("/thing").status_code == read
    assert _post(client).status_code == write
    assert client.delete("/thing", headers={"X-CSRFToken": "a" * 32}).status_code == 403
    assert client.get("/bare").status_code == 403  # names no permission: superusers only


def test_superusers_may_do_everything(settings: Settings) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    client = _browser(staff=True, superuser=True)

    assert _post(client).status_code == 200
    assert _post(client, "/bare").status_code == 200


def test_a_session_needs_csrf_and_a_token_does_not(settings: Settings) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    client = _browser(staff=True, superuser=True)

    assert_problem(_post(client, csrf=False), 403)
    assert send("POST", "/thing", ENV_TOKEN).status_code == 200


def test_a_signed_in_user_who_is_not_staff_is_a_stranger(settings: Settings) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN

    assert_problem(_browser(staff=False, superuser=True).get("/thing"), 401)


def test_a_session_does_not_pass_the_address_layer(settings: Settings) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    client = _browser(staff=True, superuser=True)
    settings.LAKEHOUSE_ALLOWED_IPS = "192.168.0.0/16"

    assert_problem(client.get("/thing"), 403, "address_not_allowed")
    assert_problem(client.get("/admin/"), 403, "address_not_allowed")
