from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.test import Client
from django.urls import get_resolver

from lakehouse_site.access.services import create_token
from tests.factories import add, make_index
from vectors import openapi, queries, urls, validation

pytestmark = pytest.mark.usefixtures("vectors_db")

BASE = "/v1/vectors"


def post(client: Client, path: str, body: object, **headers: Any) -> Any:
    return client.post(BASE + path, body, content_type="application/json", headers=headers or None)


@pytest.fixture
def two_indexes(vectors_db: None) -> None:
    for name in ("docs-a", "docs-b", "other"):
        make_index(name, dimension=2)
        add(name, [{"id": name, "vector": [1, 0], "metadata": {"n": 1}}])


@pytest.mark.usefixtures("two_indexes")
@pytest.mark.parametrize(
    ("scope", "method", "path", "body", "status"),
    [
        ("read", "GET", "/index", None, 200),
        ("read", "GET", "/index/docs-a", None, 200),
        ("read", "GET", "/index/docs-a/items", None, 200),
        ("read", "POST", "/index/docs-a/search", {"vector": [1, 0]}, 200),
        ("read", "POST", "/index/docs-a/fetch", {"ids": ["x"]}, 200),
        ("read", "POST", "/search", {"indexes": ["docs-a", "docs-b"], "vector": [1, 0]}, 200),
        ("read", "POST", "/index", {"name": "docs-c", "dimension": 2}, 403),
        ("read", "POST", "/index/docs-a/add", {"items": []}, 403),
        ("read", "POST", "/index/docs-a/delete", {"ids": []}, 403),
        ("read", "POST", "/index/docs-a/merge", {"dest": "docs-b"}, 403),
        ("read", "DELETE", "/index/docs-a", None, 403),
        ("write", "POST", "/index", {"name": "docs-c", "dimension": 2}, 201),
        ("write", "POST", "/index/docs-a/add", {"items": []}, 200),
        ("write", "POST", "/index/docs-a/delete", {"ids": []}, 200),
        ("write", "POST", "/index/docs-a/merge", {"dest": "docs-b"}, 200),
        ("write", "DELETE", "/index/docs-a", None, 403),
        ("admin", "DELETE", "/index/docs-a", None, 204),
        # The pattern of the token is docs-*, whatever its scope.
        ("admin", "GET", "/index/other", None, 403),
        ("admin", "GET", "/index/missing", None, 403),
        ("admin", "POST", "/index", {"name": "other-c", "dimension": 2}, 403),
        ("admin", "POST", "/index/docs-a/merge", {"dest": "other"}, 403),
        ("admin", "POST", "/index/other/merge", {"dest": "docs-a"}, 403),
        ("admin", "POST", "/search", {"indexes": ["docs-a", "other"], "vector": [1, 0]}, 403),
    ],
)
def test_a_token_may_do_what_its_scope_and_pattern_allow(
    client: Client, scope: str, method: str, path: str, body: object, status: int
) -> None:
    token = create_token(name="t", scope=scope, index_pattern="docs-*").token

    answer = client.generic(
        method,
        BASE + path,
        data=b"" if body is None else orjson.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )

    assert answer.status_code == status, answer.content


@pytest.mark.usefixtures("two_indexes")
def test_a_listing_shows_only_what_the_token_covers(client: Client) -> None:
    token = create_token(name="t", scope="read", index_pattern="docs-*").token

    listed = client.get(f"{BASE}/index", headers={"Authorization": f"Bearer {token}"}).json()

    assert listed["count"] == 2
    assert [info["name"] for info in listed["results"]] == ["docs-a", "docs-b"]


@pytest.mark.usefixtures("two_indexes")
def test_a_listing_has_pages(client: Client) -> None:
    first = client.get(f"{BASE}/index?limit=2").json()
    second = client.get(first["next"]).json()

    assert (first["count"], first["previous"], len(first["results"])) == (3, None, 2)
    assert (second["next"], [info["name"] for info in second["results"]]) == (None, ["other"])


@pytest.mark.usefixtures("two_indexes")
def test_a_browser_sees_the_browsable_api_with_metadata_rendered(client: Client) -> None:
    page = client.get(f"{BASE}/index/docs-a/items", headers={"Accept": "text/html"})

    assert page.headers["Content-Type"].startswith("text/html")
    assert "docs-a" in page.content.decode()


@pytest.mark.usefixtures("two_indexes")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("?limit=1&include=vector", 200),
        ("?include=", 200),
        ("?limit=0", 400),
        ("?limit=10001", 400),
        ("?limit=abc", 400),
        ("?limit=-1", 400),
        ("?limit=%C2%B2", 400),
        ("?limit=" + "9" * 5000, 400),
        ("?include=vectors", 400),
        ("?cursor=!!", 400),
    ],
)
def test_parameters_of_the_item_listing(client: Client, query: str, status: int) -> None:
    answer = client.get(f"{BASE}/index/docs-a/items{query}")

    assert answer.status_code == status
    assert ("errors" in answer.json()) == (status == 400)


def test_integers_beyond_64_bits_and_nul_in_metadata_come_back_exactly(client: Client) -> None:
    make_index(dimension=2)
    raw = (
        b'{"items": [{"id": "a", "vector": [1, 0], "metadata": {"n": 123456789012345678901234567890, "z": "\\u0000"}}]}'
    )
    assert client.post(f"{BASE}/index/docs/add", raw, content_type="application/json").status_code == 200

    found = post(client, "/index/docs/search", {"vector": [1, 0]}).json()["results"][0]

    assert found["metadata"] == {"n": 123456789012345678901234567890, "z": "\0"}


def test_every_route_is_described_with_the_fields_that_are_read() -> None:
    described = {call: body["properties"] for call, (_, body, *_) in openapi.CALLS.items() if body}

    assert {call: tuple(fields) for call, fields in described.items()} == {
        "index_create": validation.INDEX_FIELDS,
        "add": validation.ADD_FIELDS,
        "search": queries.SEARCH_FIELDS,
        "multi_search": queries.MULTI_SEARCH_FIELDS,
        "fetch": validation.FETCH_FIELDS,
        "delete": validation.DELETE_FIELDS,
        "merge": validation.MERGE_FIELDS,
    }
    assert len(urls.urlpatterns) == 10
    assert get_resolver().resolve(f"{BASE}/index/a/add/").url_name == "add"
