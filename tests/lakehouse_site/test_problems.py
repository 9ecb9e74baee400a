from __future__ import annotations

import logging

import pytest
from django.test import Client

from tests.lakehouse_site.shapes import assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.lakehouse_site.views")]

EXPECTED = [
    ("invalid", 400, "invalid_input"),
    ("surrogate", 400, "invalid_input"),
    ("missing", 404, "index_not_found"),
    ("exists", 409, "index_exists"),
    ("large", 413, "too_large"),
    ("busy", 503, "unavailable"),
    ("own", 500, "error"),
    ("database", 503, "database_unavailable"),
    ("interface", 503, "database_unavailable"),
    ("parse", 400, "parse_error"),
    ("validation", 400, "invalid_input"),
    ("suspicious", 400, "bad_request"),
    ("bug", 500, "internal_error"),
]


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("prefix", ["/fail/", "/fail-outside/"])
@pytest.mark.parametrize(("which", "status", "code"), EXPECTED)
def test_every_error_has_its_status_and_the_one_shape(
    client: Client, prefix: str, which: str, status: int, code: str
) -> None:
    response = client.get(prefix + which)

    assert_problem(response, status, code)
    assert b"hunter2" not in response.content


def test_an_unforeseen_error_is_logged_with_its_traceback_and_request_id(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        client.get("/fail/bug", headers={"X-Request-ID": "abc-1"})

    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "password=hunter2"


def test_faults_are_listed_with_their_pointers(client: Client) -> None:
    body = client.get("/fail/invalid").json()

    assert body["errors"] == [
        {"pointer": "/items/1/id", "code": "missing", "detail": "An id."},
        {"pointer": "/k", "code": "range", "detail": "Too big."},
    ]


def test_faults_of_a_drf_validation_error_get_pointers_too(client: Client) -> None:
    body = client.get("/fail/validation").json()

    assert [error["pointer"] for error in body["errors"]] == ["/k", "/items/0/a~1b"]


@pytest.mark.parametrize(("which", "seconds"), [("busy", "7"), ("database", "1")])
def test_503_says_when_to_try_again(client: Client, which: str, seconds: str) -> None:
    assert client.get(f"/fail/{which}").headers["Retry-After"] == seconds


def test_405_lists_what_is_allowed(client: Client) -> None:
    response = client.delete("/echo")

    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_a_host_that_is_not_ours_is_400_and_says_what_to_set(client: Client) -> None:
    body = assert_problem(client.get("/echo", headers={"Host": "evil.example"}), 400, "bad_host")

    assert "LAKEHOUSE_ALLOWED_HOSTS" in body["detail"]


@pytest.mark.parametrize("host", ["", "a b", "[::1", "x" * 300, "a\x00b", "localhost:port"])
def test_a_malformed_host_is_400(client: Client, host: str) -> None:
    assert_problem(client.get("/echo", HTTP_HOST=host), 400, "bad_host")


def test_a_form_over_djangos_limit_is_413(client: Client) -> None:
    response = client.post("/form", b"a=" + b"x" * (3 << 20), content_type="application/x-www-form-urlencoded")

    assert_problem(response, 413, "too_large")


@pytest.mark.parametrize("sent", ["abc-1", "0123456789abcdef", "a" * 128, "a:b.c_d"])
def test_a_sane_request_id_is_kept(client: Client, sent: str) -> None:
    assert client.get("/nowhere", headers={"X-Request-ID": sent}).json()["request_id"] == sent


@pytest.mark.parametrize("sent", ["", "a b", "a\nb", "a" * 129, "é", '"'])
def test_any_other_request_id_is_replaced(client: Client, sent: str) -> None:
    answer = client.get("/nowhere", HTTP_X_REQUEST_ID=sent)

    assert answer.json()["request_id"] not in ("", sent)


def test_html_pages_have_a_strict_content_security_policy(client: Client) -> None:
    response = client.get("/echo", headers={"Accept": "text/html"})

    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "Content-Security-Policy" not in client.get("/echo").headers
