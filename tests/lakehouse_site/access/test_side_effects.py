"""What a call leaves behind: logs, last uses, queries, counts of calls."""

from __future__ import annotations

import logging

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from lakehouse_site.access import selectors
from lakehouse_site.access.models import ApiToken
from lakehouse_site.access.services import create_token
from tests.lakehouse_site.access.calls import ENV_TOKEN, LAN, get, send
from tests.lakehouse_site.shapes import assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.lakehouse_site.access.views")]


# --- side effects -------------------------------------------------------------------------------------------------
def test_every_refusal_is_logged_with_reason_and_address_and_never_the_token(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    token = create_token(name="reader", scope="read").token
    settings.LAKEHOUSE_ALLOWED_IPS = "127.0.0.0/8"

    with caplog.at_level(logging.INFO):
        get(token=token, **LAN)
        get()
        get(token="wrong-but-secret")
        send("POST", "/thing", token)

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
    assert get(token=token).status_code == 200
    first = ApiToken.objects.get(name="ci").last_used_at
    assert first is not None

    with CaptureQueriesContext(connection) as queries:
        assert get(token=token).status_code == 200
    assert not [query for query in queries if "UPDATE" in query["sql"]]

    selectors.forget()  # another process, within the same minute
    assert get(token=token).status_code == 200
    assert ApiToken.objects.get(name="ci").last_used_at == first


def test_the_configured_token_is_known_without_the_database(settings: Settings) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = ENV_TOKEN

    with CaptureQueriesContext(connection) as queries:
        assert get(token=ENV_TOKEN).status_code == 200

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
        statuses = [send("POST", "/thing", one).status_code for _ in range(2)]
        refused = send("POST", "/thing", one)
        others = [send("POST", "/thing", other).status_code, get(token=one).status_code]
    cache.clear()

    assert statuses == [200, 200]
    assert_problem(refused, 429, "throttled")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert others == [200, 200]
