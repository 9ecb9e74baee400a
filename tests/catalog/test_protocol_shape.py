"""What every answer of the protocol has in common: the gate, the shape of errors, and the list of what works."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from catalog.protocol import urls
from catalog.protocol.endpoints import ENDPOINTS
from lakehouse_site.access.services import create_token
from tests.catalog.protocol_client import Protocol

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
VALUES = {"prefix": "main", "namespace": "ns", "table": "t", "view": "v"}


def _served() -> set[str]:
    """Return method and template of every route below a namespace or the prefix."""
    return {
        f"{method} /v1/{{prefix}}/{template}"
        for template, view in urls.ROUTES
        for method in METHODS
        if hasattr(view, method.lower())
    }


def test_the_list_of_endpoints_is_what_is_served(protocol: Protocol) -> None:
    body = protocol.get("config?warehouse=main").body

    assert body["overrides"] == {"prefix": "main"}
    assert set(body["endpoints"]) == set(ENDPOINTS)
    assert _served() == set(ENDPOINTS)
    # Two more stand outside of the prefix, and clients do not look for them in the list.
    assert len(urls.urlpatterns) == len(urls.ROUTES) + 2


def test_every_listed_endpoint_answers_and_its_other_methods_do_not(protocol: Protocol) -> None:
    protocol.create()
    paths = {one.partition(" ")[2] for one in ENDPOINTS}
    for path in sorted(paths):
        address = path.removeprefix("/v1/").format(**VALUES)
        for method in METHODS:
            answer = protocol.call(method, address, {})
            # Django answers HEAD wherever there is a GET.
            listed = f"{method} {path}" in ENDPOINTS or (method == "HEAD" and f"GET {path}" in ENDPOINTS)
            # Bodies are empty and the view is not there, so an endpoint may refuse; it is there all the same.
            assert (answer.status == 405) != listed, (method, path, answer.status)
            if answer.status >= 400 and method != "HEAD":
                answer.error  # noqa: B018  checks the shape


def test_an_unknown_warehouse_is_a_404(protocol: Protocol) -> None:
    assert protocol.get("config?warehouse=none").error == (404, "NoSuchWarehouseException")
    assert protocol.get("config").status == 200


def test_whatever_refuses_has_the_shape_of_the_protocol(protocol: Protocol, settings: Settings) -> None:
    settings.LAKEHOUSE_MAX_BODY_BYTES = 1000
    assert protocol.get("nothing/here").error == (404, "NotFoundException")
    assert protocol.call("PUT", "config").error == (405, "UnsupportedOperationException")
    assert protocol.call("POST", "namespaces", raw=b"x", content_type="text/plain").error[0] == 415
    assert protocol.call("POST", "namespaces", raw=b" " * 1001).error[0] == 413
    assert protocol.get("config", HTTP_HOST="evil.example").error == (400, "BadRequestException")
    settings.LAKEHOUSE_AUTH_TOKEN = "a-secret"
    assert protocol.get("config").error == (401, "NotAuthorizedException")
    assert protocol.get("config").headers["WWW-Authenticate"] == "Bearer"
    settings.LAKEHOUSE_ALLOWED_IPS = "192.168.0.0/16"
    assert protocol.get("config").error == (403, "ForbiddenException")


def test_a_failure_nobody_foresaw_has_the_shape_too(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.protocol.namespace_views.namespaces.list_namespaces", lambda **_: 1 / 0)

    answer = protocol.get("namespaces")

    assert answer.error == (500, "InternalServerError")
    assert "division" not in answer.message


def test_scopes_decide_and_a_token_for_some_indexes_is_refused(protocol: Protocol) -> None:
    protocol.create()
    reader = Protocol(create_token(name="reader", scope="read").token)
    writer = Protocol(create_token(name="writer", scope="write").token)
    boss = Protocol(create_token(name="boss", scope="admin").token)
    limited = Protocol(create_token(name="limited", scope="admin", index_pattern="docs-*").token)

    assert protocol.load().error == (401, "NotAuthorizedException")
    assert limited.load().error == (403, "ForbiddenException")
    assert reader.load().status == 200
    assert reader.post("namespaces/ns/tables/t/metrics", {}).status == 204
    assert reader.create("u").error == (403, "ForbiddenException")
    assert reader.call("DELETE", "namespaces/ns/tables/t").error == (403, "ForbiddenException")
    assert writer.create("u").status == 200
    assert writer.post("namespaces/ns/tables/u/unregister", None).error == (403, "ForbiddenException")
    assert boss.post("namespaces/ns/tables/u/unregister", None).status == 200


def test_tokens_are_exchanged_for_themselves(protocol: Protocol) -> None:
    token = create_token(name="engine", scope="write").token
    form = "application/x-www-form-urlencoded"

    def ask(text: str, **meta: str) -> tuple[int, dict[str, str]]:
        answer = protocol.call("POST", "oauth/tokens", raw=text.encode(), content_type=form, **meta)
        return answer.status, answer.body

    status, body = ask(f"grant_type=client_credentials&client_id=x&client_secret={token}&scope=catalog")
    assert (status, body["access_token"], body["token_type"]) == (200, token, "bearer")
    exchange = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
    assert ask(f"grant_type={exchange}&subject_token={token}")[0] == 200
    assert ask("grant_type=client_credentials&client_secret=wrong") == (
        401,
        {
            "error": "invalid_client",
            "error_description": "The token is not valid: unknown, expired or revoked.",
        },
    )
    assert ask("grant_type=client_credentials")[1]["error"] == "invalid_request"
    assert ask("grant_type=password")[1]["error"] == "unsupported_grant_type"
    assert ask("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))[0] == 400


def test_the_protocol_is_not_in_the_openapi_document(protocol: Protocol) -> None:
    document = Client().get("/v1/schema", headers={"Accept": "application/json"}).content

    assert b"/v1/catalog/datasets" in document
    assert b"/iceberg" not in document
