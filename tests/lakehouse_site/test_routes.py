"""One walk over every route of the site: whatever goes wrong there, the answer has the one shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from tests.lakehouse_site.shapes import assert_problem

TOKEN = "a-token-for-the-walk"
# What stands for a parameter of a path; 1 for those that are not named.
EXAMPLES = {
    "eval_set": "some-set",
    "export_id": "0" * 40,
    "file_name": "train.jsonl",
    "name": "some-index",
    "notice_id": "00000000-0000-4000-8000-000000000000",
    "run_id": "some-run",
}
_PARAMETER = re.compile(r"\(\?P<(?P<name>\w+)>[^)]*\)")
OWN: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}


def _paths(resolver: URLResolver, prefix: str = "/") -> Iterator[str]:
    """Return one path for each route outside the admin, whose own login guards it, and the catalog's protocol."""
    for entry in resolver.url_patterns:
        text = str(entry.pattern)
        if isinstance(entry, URLResolver):
            # The protocol of the catalog has a shape of its own; its tests walk it.
            if not text.startswith(("admin", "iceberg")):
                yield from _paths(entry, prefix + text)
        elif isinstance(entry, URLPattern):
            path = (
                _PARAMETER.sub(lambda found: EXAMPLES.get(found["name"], "1"), text).replace("^", "").replace("/?$", "")
            )
            assert "(" not in path, f"teach this walk the pattern {text}"
            yield prefix + path


PATHS = sorted(set(_paths(get_resolver())))
GUARDED = [path for path in PATHS if path not in ("/health", "/admin")]
pytestmark = pytest.mark.django_db


def _call(method: str, path: str, **meta: Any) -> Any:
    return Client().generic(method, path, b"{}", "application/json", **meta)


def test_the_walk_knows_the_routes() -> None:
    assert {"/", "/health", "/ready", "/docs", "/v1/schema", "/v1/vectors/index/some-index/add"} <= set(PATHS)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", GUARDED)
def test_every_route_asks_for_the_token(settings: Settings, path: str, method: str) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = TOKEN

    response = _call(method, path)

    # DRF checks the caller before the method, so a stranger does not even learn which methods there are.
    assert_problem(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", [*PATHS, "/admin/", "/static/rest_framework/css/default.css", "/nowhere"])
def test_every_route_but_health_refuses_a_foreign_address(settings: Settings, path: str) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = TOKEN
    settings.LAKEHOUSE_ALLOWED_IPS = "192.168.0.0/16"

    response = Client().get(path, **OWN)

    if path == "/health":
        assert response.status_code == 200
    else:
        assert_problem(response, 403, "address_not_allowed")


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/admin"])
def test_every_route_names_the_allowed_methods_in_a_405(settings: Settings, path: str) -> None:
    settings.LAKEHOUSE_AUTH_TOKEN = TOKEN

    response = _call("TRACE", path, **OWN)

    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"]


@pytest.mark.parametrize(
    "path", ["/nowhere", "/v1", "/v1/", "/v1/vectors/nope", "/static/nope", "/static/", "/health/x", "/\x00", "/%ff"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_a_404_in_the_one_shape(method: str, path: str) -> None:
    assert_problem(_call(method, path), 404, "not_found")


@pytest.mark.parametrize("path", [path for path in PATHS if path not in ("/", "/admin")])
def test_a_trailing_slash_makes_no_difference(path: str) -> None:
    assert Client().get(path).status_code == Client().get(path + "/").status_code


def test_the_admin_is_reached_without_its_slash_and_has_the_one_shape() -> None:
    assert Client().get("/admin").headers["Location"] == "/admin/"
    assert Client().get("/admin/").headers["Location"].startswith("/admin/login/")
    assert_problem(Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "x"}), 403, "csrf_failed")


def test_the_admin_answers_404_in_the_one_shape(admin_client: Client) -> None:
    assert_problem(admin_client.get("/admin/nowhere/"), 404, "not_found")


def test_the_documentation_loads_nothing_from_elsewhere_and_has_no_inline_script() -> None:
    page = Client().get("/docs/").content.decode()

    assert "<style" not in page
    assert "<script>" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert Client().get("/docs/?script=").headers["Content-Type"] == "application/javascript"


def test_the_root_says_what_this_is_and_every_place_it_names_exists() -> None:
    body = Client().get("/").json()

    places = [value["url"] for value in body.values() if isinstance(value, dict)]
    assert body["name"] == "Lakehouse"
    assert len(places) == 11
    assert {Client().get(url.removeprefix("http://testserver")).status_code for url in places} <= {200, 302}


def test_the_schema_names_the_bearer_scheme() -> None:
    schema = Client().get("/v1/schema", headers={"Accept": "application/json"}).json()

    assert schema["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}
