from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from tests.lakehouse_site.shapes import assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.lakehouse_site.views")]


def _post(body: bytes, content_type: str = "application/json", **meta: Any) -> Any:
    return Client().post("/echo", body, content_type=content_type, **meta)


def test_json_comes_in_and_goes_out() -> None:
    assert _post('{"a": [1, 2.5, "ü", null]}'.encode()).json() == {"body": {"a": [1, 2.5, "ü", None]}}


def test_numpy_arrays_and_fragments_are_rendered() -> None:
    response = Client().get("/echo")

    assert response.content == b'{"numbers":[0.0,1.0,2.0],"raw":{"as":"it is"}}'
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_content_types_that_are_json(content_type: str) -> None:
    assert _post(b"{}", content_type).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense"],
)
def test_any_other_content_type_is_415_and_says_what_to_send(content_type: str) -> None:
    body = assert_problem(_post(b"{}", content_type), 415, "unsupported_media_type")

    assert "Content-Type: application/json" in body["detail"]


def test_a_compressed_body_is_415() -> None:
    assert_problem(_post(b"{}", HTTP_CONTENT_ENCODING="gzip"), 415)


def test_a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_413(settings: Settings) -> None:
    settings.LAKEHOUSE_MAX_BODY_BYTES = 100

    assert _post(b'"' + b"x" * 98 + b'"').status_code == 200
    body = assert_problem(_post(b'"' + b"x" * 99 + b'"'), 413, "too_large")
    assert "LAKEHOUSE_MAX_BODY_BYTES" in body["detail"]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b"{", "", "invalid_json"),
        (b" ", "", "empty_body"),
        (b'{"a": [1, NaN]}', "/a/1", "not_finite"),
        (b'{"a": 1e400}', "/a", "not_finite"),
        (b'{"\\ud800": "\\ud800"}', "/\ud800", "lone_surrogate"),
        (b"[" * 100_000, "", "invalid_json"),
        (b"[" * 100_000 + b"]" * 100_000, "", "invalid_json"),
        (b"9" * 5_000, "", "invalid_json"),
        (b"\xff", "", "invalid_json"),
    ],
)
def test_a_hostile_body_is_400_and_the_place_is_named(body: bytes, pointer: str, code: str) -> None:
    error = assert_problem(_post(body), 400, "invalid_input")["errors"][0]

    assert (error["pointer"], error["code"]) == (pointer, code)


def _post_stream(body: bytes, **meta: Any) -> Any:
    """Post a body as a server passes it: Django's test client hides what this is about."""
    return _post(b"", **{"wsgi.input": BytesIO(body), "CONTENT_TYPE": "application/json", **meta})


def test_a_body_that_ends_early_is_400() -> None:
    assert_problem(_post_stream(b"{}", CONTENT_LENGTH="3"), 400)


def test_a_chunked_body_is_read_when_the_server_marks_its_end_and_refused_otherwise(settings: Settings) -> None:
    settings.LAKEHOUSE_MAX_BODY_BYTES = 20
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    marked = {**chunked, "wsgi.input_terminated": True}

    assert _post_stream(b'{"a":1}', **marked).json() == {"body": {"a": 1}}
    assert_problem(_post_stream(b'"' + b"x" * 30 + b'"', **marked), 413, "too_large")
    assert_problem(_post_stream(b"", **marked), 400, "invalid_input")
    assert "Content-Length" in assert_problem(_post_stream(b'{"a":1}', **chunked), 400)["detail"]


@pytest.mark.parametrize(("sent", "expect", "read"), [(500, "", 500), (5_000, "", 1_600), (500, "100-continue", 0)])
def test_a_body_over_the_limit_is_read_to_its_end_so_that_the_sender_hears_the_answer(
    settings: Settings, sent: int, expect: str, read: int
) -> None:
    settings.LAKEHOUSE_MAX_BODY_BYTES = 100
    stream = BytesIO(b"x" * sent)

    meta: dict[str, Any] = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(sent), "HTTP_EXPECT": expect}
    response = _post(b"", **{"wsgi.input": stream, **meta})

    assert_problem(response, 413, "too_large")
    assert stream.tell() == read


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("text/xml", "application/json"),  # no reason to refuse
        ("", "application/json"),
        ("nonsense", "application/json"),
    ],
)
def test_browsers_get_html_and_everybody_else_json(accept: str, content_type: str) -> None:
    assert Client().get("/echo", headers={"Accept": accept}).headers["Content-Type"] == content_type


def test_the_format_cannot_be_chosen_in_the_query() -> None:
    assert Client().get("/echo?format=api").headers["Content-Type"] == "application/json"
