"""The access matrix: where a request comes from, what it carries, what it wants."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from lakehouse_site.access import selectors
from lakehouse_site.access.models import ApiToken
from lakehouse_site.access.services import create_token, revoke_token
from tests.lakehouse_site.shapes import assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.lakehouse_site.access.views")]

ENV_TOKEN = "correct-horse-battery-staple"
LOOPBACK: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "127.0.0.1"}
LAN: dict[str, Any] = {"REMOTE_ADDR": "10.1.2.3", "SERVER_NAME": "10.1.2.1", "HTTP_HOST": "localhost"}
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


def _get(path: str = "/thing", token: str | None = None, **meta: Any) -> Any:
    if token is not None:
        meta["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    every: dict[str, Any] = {**LOOPBACK, **meta}
    return Client().get(path, **every)


def _send(method: str, path: str, token: str, body: Any = None) -> Any:
    return Client().generic(
        method,
        path,
        b"{}" if body is None else body,
        "application/json",
        HTTP_AUTHORIZATION=f"Bearer {token}",
        **LOOPBACK,
    )


# --- nothing configured -------------------------------------------------------------------------------------------
def test_loopback_is_open_when_nothing_is_configured() -> None:
    assert _get().status_code == 200


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
    body = assert_problem(_get(path, **{"HTTP_HOST": "localhost", **meta}), 403, "not_loopback")

    assert "LAKEHOUSE_AUTH_TOKEN" in body["detail"]
    assert "token_create" in body["detail"]


def test_a_forwarded_stranger_is_not_loopback(settings: Settings) -> None:
    settings.LAKEHOUSE_TRUSTED_PROXIES = "127.0.0.1"

    assert_problem(_get(HTTP_X_FORWARDED_FOR="10.9.9.9"), 403, "not_loopback")
    assert _get(HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 200


def test_the_address_list_alone_does_not_open_the_service(settings: Settings) -> None:
    settings.LAKEHOUSE_ALLOWED_IPS = "10.0.0.0/8"

    assert_problem(_get(**LAN), 403, "not_loopback")


# --- the address layer --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("token", [None, "wrong", ENV_TOKEN])
def test_a_foreign_address_is_refused_before_the_token_is_looked_at(
    settings: Settings, path: str, token: str | None
) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    settings.LAKEHOUSE_ALLOWED_IPS = "192.168.0.0/16"

    assert_problem(_get(path, token, **LAN), 403, "address_not_allowed")


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

    assert _get(token=ENV_TOKEN, REMOTE_ADDR=peer).status_code == status


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

    response = _get(token=ENV_TOKEN, REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded_for)

    assert response.status_code == status


@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_health_passes_both_layers_and_touches_no_database(settings: Settings, path: str) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    settings.LAKEHOUSE_ALLOWED_IPS = "192.168.0.0/16"

    with CaptureQueriesContext(connection) as queries:
        response = _get(path, **{**LAN, "HTTP_HOST": "who.ever"})

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

    response = _get(path, **({} if header is None else {"HTTP_AUTHORIZATION": header}))

    assert_problem(response, 401)
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_the_configured_token_may_do_everything(settings: Settings) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN

    assert _get(token=ENV_TOKEN).status_code == 200
    assert _get(token=ENV_TOKEN, **LAN).status_code == 200
    assert _send("DELETE", "/index/any", ENV_TOKEN).status_code == 200


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_a_blank_token_does_not_count_as_configured(settings: Settings, blank: str) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = blank

    assert _get().status_code == 200
    assert_problem(_get(token=blank, **LAN), 403, "not_loopback")


def test_a_token_in_the_database_switches_the_layer_on_at_once() -> None:
    assert _get().status_code == 200

    created = create_token(name="ci", scope="read")

    assert_problem(_get(), 401)
    assert _get(token=created.token).status_code == 200
    assert _get(token=created.token, **LAN).status_code == 200


def test_a_revoked_or_expired_token_is_refused_and_keeps_the_layer_on() -> None:
    token = create_token(name="ci", scope="admin").token
    revoke_token(name="ci")
    assert_problem(_get(token=token), 401, "token_not_valid")

    old = create_token(name="old", scope="admin", expires_at=timezone.now() + timedelta(hours=1)).token
    assert _get(token=old).status_code == 200
    ApiToken.objects.filter(name="old").update(expires_at=timezone.now() - timedelta(microseconds=1))
    assert_problem(_get(token=old), 401, "token_not_valid")

    selectors.forget()  # as in a process that has just started
    assert_problem(_get(), 401)


def test_the_hash_of_a_token_is_no_token() -> None:
    created = create_token(name="ci", scope="read")

    assert created.token not in str(vars(created.row))
    assert_problem(_get(token=created.row.hash), 401)
    assert_problem(_get(token=created.row.prefix), 401)


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

    response = _send(method, path, token)

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

    response = _send(method, path, token, body)

    assert response.status_code == status
    if status == 403:
        assert_problem(response, 403, "index_not_covered")


def test_an_index_pattern_limits_listings() -> None:
    limited = create_token(name="limited", scope="read", index_pattern="docs-*").token
    free = create_token(name="free", scope="read").token

    assert _get(token=limited).json() == {"visible": ["docs-1"]}
    assert _get(token=free).json() == {"visible": ["docs-1", "mail-1"]}


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
    assert _send("POST", "/thing", ENV_TOKEN).status_code == 200


def test_a_signed_in_user_who_is_not_staff_is_a_stranger(settings: Settings) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN

    assert_problem(_browser(staff=False, superuser=True).get("/thing"), 401)


def test_a_session_does_not_pass_the_address_layer(settings: Settings) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    client = _browser(staff=True, superuser=True)
    settings.LAKEHOUSE_ALLOWED_IPS = "192.168.0.0/16"

    assert_problem(client.get("/thing"), 403, "address_not_allowed")
    assert_problem(client.get("/admin/"), 403, "address_not_allowed")


# --- side effects -------------------------------------------------------------------------------------------------
def test_every_refusal_is_logged_with_reason_and_address_and_never_the_token(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    token = create_token(name="reader", scope="read").token
    settings.LAKEHOUSE_ALLOWED_IPS = "127.0.0.0/8"

    with caplog.at_level(logging.INFO):
        _get(token=token, **LAN)
        _get()
        _get(token="wrong-but-secret")
        _send("POST", "/thing", token)

    refusals = [vars(record) for record in caplog.records if record.message == "request refused"]
    assert [(entry["reason"], entry["address"]) for entry in refusals] == [
        ("address_not_allowed", "10.1.2.3"),
        ("token_missing", "127.0.0.1"),
        ("token_unknown", "127.0.0.1"),
        ("scope_too_small", "127.0.0.1"),
    ]
    assert token not in str(refusals)
    assert "wrong-but-secret" not in str([vars(record) for record in caplog.records])


def test_the_last_use_is_written_at_most_once_a_minute() -> None:
    token = create_token(name="ci", scope="read").token
    assert _get(token=token).status_code == 200
    first = ApiToken.objects.get(name="ci").last_used_at
    assert first is not None

    with CaptureQueriesContext(connection) as queries:
        assert _get(token=token).status_code == 200
    assert not [query for query in queries if "UPDATE" in query["sql"]]

    selectors.forget()  # another process, within the same minute
    assert _get(token=token).status_code == 200
    assert ApiToken.objects.get(name="ci").last_used_at == first


def test_an_open_call_costs_one_query_and_one_with_the_configured_token_none(settings: Settings) -> None:
    with CaptureQueriesContext(connection) as queries:
        _get()
    assert len(queries) == 1

    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN
    with CaptureQueriesContext(connection) as queries:
        _get(token=ENV_TOKEN)
    assert len(queries) == 0


def test_throttling_answers_429_with_retry_after_for_that_scope_and_caller(settings: Settings) -> None:
    from django.core.cache import cache

    from lakehouse_site.access.throttling import ScopeThrottle
    from tests.lakehouse_site.access.views import ThingView

    cache.clear()
    settings.LAKEHOUSE_THROTTLE_RATES = {"write": "2/hour"}
    one, other = (create_token(name=name, scope="admin").token for name in ("one", "other"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThingView, "throttle_classes", [ScopeThrottle])
        statuses = [_send("POST", "/thing", one).status_code for _ in range(2)]
        refused = _send("POST", "/thing", one)
        others = [_send("POST", "/thing", other).status_code, _get(token=one).status_code]
    cache.clear()

    assert statuses == [200, 200]
    assert_problem(refused, 429, "throttled")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert others == [200, 200]
