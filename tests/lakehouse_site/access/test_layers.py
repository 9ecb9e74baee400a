"""The access matrix: where a request comes from, what it carries, what it wants."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from lakehouse_site.access import selectors
from lakehouse_site.access.models import ApiToken
from lakehouse_site.access.services import create_token, revoke_token
from tests.lakehouse_site.access.calls import ENV_TOKEN, LAN, get, send
from tests.lakehouse_site.shapes import assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.lakehouse_site.access.views")]


# Admin, docs, static files and paths that lead nowhere are behind the address layer too.
EVERYWHERE = [
    "/",
    "/thing",
    "/ready",
    "/docs/",
    "/v1/schema",
    "/admin/",
    "/static/rest_framework/css/default.css",
    "/no",
]


# --- nothing configured -------------------------------------------------------------------------------------------
def test_loopback_is_open_when_nothing_is_configured() -> None:
    assert get().status_code == 200


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize(
    "meta",
    [
        LAN,
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "rubbish"},
        {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "0.0.0.0"},  # noqa: S104
        {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "10.1.2.1"},
        {"REMOTE_ADDR": "::ffff:10.1.2.3", "SERVER_NAME": "::"},
    ],
)
def test_without_a_token_nothing_but_loopback_is_answered(path: str, meta: dict[str, str]) -> None:
    body = assert_problem(get(path, **{"HTTP_HOST": "localhost", **meta}), 403, "not_loopback")

    assert "LAKEHOUSE_AUTH_TOKEN" in body["detail"]
    assert "token_create" in body["detail"]


def test_a_forwarded_stranger_is_not_loopback(settings: Settings) -> None:
    settings.LAKEHOUSE_TRUSTED_PROXIES = "127.0.0.1"

    assert_problem(get(HTTP_X_FORWARDED_FOR="10.9.9.9"), 403, "not_loopback")
    assert get(HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 200


def test_the_address_list_alone_does_not_open_the_service(settings: Settings) -> None:
    settings.LAKEHOUSE_ALLOWED_IPS = "10.0.0.0/8"

    assert_problem(get(**LAN), 403, "not_loopback")


# --- the address layer --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("token", [None, "wrong", ENV_TOKEN])
def test_a_foreign_address_is_refused_before_the_token_is_looked_at(
    settings: Settings, path: str, token: str | None
) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    settings.LAKEHOUSE_ALLOWED_IPS = "192.168.0.0/16"

    assert_problem(get(path, token, **LAN), 403, "address_not_allowed")


@pytest.mark.parametrize(
    ("allowed", "peer", "status"),
    [
        ("10.0.0.0/8", "10.1.2.3", 200),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 200),
        ("10.9.9.9/8", "10.1.2.3", 200),
        ("10.0.0.0/8", "11.1.2.3", 403),
        ("10.0.0.0/8", "", 403),
        ("10.0.0.0/8", "not an address", 403),
        ("0.0.0.0/0", "", 403),
        ("rubbish", "10.1.2.3", 403),
        ("rubbish", "127.0.0.1", 403),
        (",", "127.0.0.1", 403),
        ("rubbish,10.0.0.0/8", "10.1.2.3", 200),
        (" ", "10.1.2.3", 200),
    ],
)
def test_the_address_layer_decides_by_the_peer(settings: Settings, allowed: str, peer: str, status: int) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    settings.LAKEHOUSE_ALLOWED_IPS = allowed

    assert get(token=ENV_TOKEN, REMOTE_ADDR=peer).status_code == status


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "status"),
    [
        ("127.0.0.1", "10.1.2.3", 200),
        ("127.0.0.1", "11.1.1.1", 403),
        ("127.0.0.1", "10.1.2.3, 11.1.1.1", 403),
        ("127.0.0.1", "", 403),  # the proxy itself is not on the list
        ("11.1.1.1", "10.1.2.3", 403),  # not a trusted proxy: its header is ignored
        ("10.1.2.3", "11.1.1.1", 200),
    ],
)
def test_forwarded_addresses_count_only_from_trusted_proxies(
    settings: Settings, peer: str, forwarded_for: str, status: int
) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    settings.LAKEHOUSE_ALLOWED_IPS = "10.0.0.0/8"
    settings.LAKEHOUSE_TRUSTED_PROXIES = "127.0.0.1"

    response = get(token=ENV_TOKEN, REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded_for)

    assert response.status_code == status


@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_health_passes_both_layers_and_touches_no_database(settings: Settings, path: str) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    settings.LAKEHOUSE_ALLOWED_IPS = "192.168.0.0/16"

    with CaptureQueriesContext(connection) as queries:
        response = get(path, **{**LAN, "HTTP_HOST": "who.ever"})

    assert response.json() == {"status": "ok"}
    assert len(queries) == 0


# --- the token layer ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/thing", "/ready", "/v1/schema", "/docs/", "/"])
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"bearer {ENV_TOKEN}",
        f"Bearer  {ENV_TOKEN}",
        f"Bearer {ENV_TOKEN} ",
        f"Bearer {ENV_TOKEN[:-1]}",
        f"Bearer {ENV_TOKEN}x",
        f"Bearer {ENV_TOKEN},Bearer {ENV_TOKEN}",
        f"Basic {ENV_TOKEN}",
        ENV_TOKEN,
        "Bearer \xe9\xff",
        "Bearer 日本",
        "Bearer a\x00b",
    ],
)
def test_a_missing_or_wrong_token_is_401_with_a_challenge(settings: Settings, header: str | None, path: str) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN

    response = get(path, **({} if header is None else {"HTTP_AUTHORIZATION": header}))

    assert_problem(response, 401)
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_the_configured_token_may_do_everything(settings: Settings) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN

    assert get(token=ENV_TOKEN).status_code == 200
    assert get(token=ENV_TOKEN, **LAN).status_code == 200
    assert send("DELETE", "/index/any", ENV_TOKEN).status_code == 200


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_a_blank_token_does_not_count_as_configured(settings: Settings, blank: str) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = blank

    assert get().status_code == 200
    assert_problem(get(token=blank, **LAN), 403, "not_loopback")


def test_a_token_in_the_database_switches_the_layer_on_at_once() -> None:
    assert get().status_code == 200

    created = create_token(name="ci", scope="read")

    assert_problem(get(), 401)
    assert get(token=created.token).status_code == 200
    assert get(token=created.token, **LAN).status_code == 200


def test_a_revoked_or_expired_token_is_refused_and_keeps_the_layer_on() -> None:
    token = create_token(name="ci", scope="admin").token
    revoke_token(name="ci")
    assert_problem(get(token=token), 401, "token_not_valid")

    old = create_token(name="old", scope="admin", expires_at=timezone.now() + timedelta(hours=1)).token
    assert get(token=old).status_code == 200
    ApiToken.objects.filter(name="old").update(expires_at=timezone.now() - timedelta(microseconds=1))
    assert_problem(get(token=old), 401, "token_not_valid")

    selectors.forget()  # as in a process that has just started
    assert_problem(get(), 401)


def test_the_hash_of_a_token_is_no_token() -> None:
    created = create_token(name="ci", scope="read")

    assert created.token not in str(vars(created.row))
    assert_problem(get(token=created.row.hash), 401)
    assert_problem(get(token=created.row.prefix), 401)
