from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.test import Client
from django.urls import get_resolver

from lakehouse_site.access.services import create_token
from tests.factories import add, make_index
from vectors import openapi, patches, queries, urls, validation

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
        ("read", "POST", "/index/docs-a/count", {"filter": {"n": 1}}, 200),
        ("read", "POST", "/index/docs-a/duplicates", {"threshold": 0}, 200),
        ("read", "GET", "/index/docs-a/recall", None, 200),
        ("read", "POST", "/index/docs-a/recall", {}, 403),
        ("read", "PATCH", "/index/docs-a/items", {"items": []}, 403),
        ("read", "POST", "/index/docs-a/delete", {"filter": {"n": 1}}, 403),
        ("read", "POST", "/index/docs-a/snapshot", {}, 403),
        ("read", "POST", "/index", {"name": "docs-c", "dimension": 2}, 403),
        ("read", "POST", "/index/docs-a/add", {"items": []}, 403),
        ("read", "POST", "/index/docs-a/delete", {"ids": []}, 403),
        ("read", "POST", "/index/docs-a/merge", {"dest": "docs-b"}, 403),
        ("read", "DELETE", "/index/docs-a", None, 403),
        ("write", "POST", "/index", {"name": "docs-c", "dimension": 2}, 201),
        ("write", "POST", "/index/docs-a/add", {"items": []}, 200),
        ("write", "POST", "/index/docs-a/delete", {"ids": []}, 200),
        ("write", "POST", "/index/docs-a/delete", {"filter": {"n": 1}}, 200),
        ("write", "POST", "/index/docs-a/recall", {}, 200),
        ("write", "PATCH", "/index/docs-a/items", {"items": []}, 200),
        ("write", "POST", "/index/docs-a/merge", {"dest": "docs-b"}, 200),
        ("write", "DELETE", "/index/docs-a", None, 403),
        ("admin", "DELETE", "/index/docs-a", None, 204),
        # The pattern of the token is docs-*, whatever its scope.
        ("admin", "GET", "/index/other", None, 403),
        ("admin", "GET", "/index/missing", None, 403),
        ("admin", "POST", "/index", {"name": "other-c", "dimension": 2}, 403),
        ("admin", "POST", "/index/other/count", {}, 403),
        ("admin", "POST", "/index/other/duplicates", {"threshold": 0}, 403),
        ("admin", "POST", "/index/other/recall", {}, 403),
        ("admin", "PATCH", "/index/other/items", {"items": []}, 403),
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


def raw(client: Client, method: str, path: str, body: str) -> Any:
    answer = client.generic(method, BASE + path, body.encode(), content_type="application/json")
    assert answer.status_code == 200, answer.content
    return answer


def test_a_patch_keeps_what_it_does_not_name_to_the_letter(client: Client) -> None:
    make_index(dimension=2)
    kept = '"n":123456789012345678901234567890,"f":1e+300,"z":"\\u0000","m":-9223372036854775808,"d":0.1'
    raw(client, "POST", "/index/docs/add", f'{{"items":[{{"id":"a","vector":[1,0],"metadata":{{{kept},"old":1}}}}]}}')

    change = '{"old":null,"new":98765432109876543210987654321,"g":{"x":null}}'
    patched = raw(client, "PATCH", "/index/docs/items", f'{{"items":[{{"id":"a","metadata":{change}}}]}}').json()
    found = raw(client, "POST", "/index/docs/fetch", '{"ids":["a"],"include":["metadata"]}').content.decode()

    assert patched == {"updated": 1, "missing": [], "seq": 2}
    assert f'{{{kept},"new":98765432109876543210987654321,"g":{{"x":null}}}}' in found


def test_integers_beyond_64_bits_are_told_apart_by_filters(client: Client) -> None:
    make_index(dimension=2)
    big = 10**30
    items = ",".join(f'{{"id":"{i}","vector":[1,{i}],"metadata":{{"n":{big + i}}}}}' for i in range(3))
    raw(client, "POST", "/index/docs/add", f'{{"items":[{items}]}}')

    for wanted, keys in ((f"{big + 1}", ["1"]), (f'{{"$gt":{big}}}', ["1", "2"]), (f'{{"$in":[{big}]}}', ["0"])):
        body = f'{{"filter":{{"n":{wanted}}},"vector":[0.1234567890123456789,1]}}'
        found = raw(client, "POST", "/index/docs/search", body).json()["results"]
        assert sorted(hit["id"] for hit in found) == keys
    several = f'{{"indexes":["docs"],"vector":[1,0],"filter":{{"n":{big + 2}}}}}'
    assert [hit["id"] for hit in raw(client, "POST", "/search", several).json()["results"]] == ["2"]
    count = raw(client, "POST", "/index/docs/count", f'{{"filter":{{"n":{{"$lte":{big + 1}}}}}}}').json()
    assert count == {"count": 2}
    gone = raw(client, "POST", "/index/docs/delete", f'{{"filter":{{"n":{big + 1}}}}}').json()
    assert gone == {"deleted": 1, "missing": [], "seq": 4}


def test_a_deletion_by_filter_and_a_count_over_http(client: Client) -> None:
    make_index(dimension=2)
    add("docs", [{"id": f"{i}", "vector": [1, i], "metadata": {"n": i}} for i in range(5)])

    assert post(client, "/index/docs/count", {}).json() == {"count": 5}
    assert post(client, "/index/docs/count", {"filter": {"n": {"$gt": 1}}}).json() == {"count": 3}
    assert post(client, "/index/docs/delete", {"filter": {"n": {"$gt": 1}}}).json()["deleted"] == 3
    assert post(client, "/index/docs/count", {}).json() == {"count": 2}
    refused = post(client, "/index/docs/delete", {"filter": {}})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/filter")


def test_metadata_that_grow_beyond_a_body_are_refused(client: Client, settings: Any) -> None:
    settings.LAKEHOUSE_MAX_BODY_BYTES = 1_000
    make_index(dimension=2)
    add("docs", [{"id": "a", "vector": [1, 0], "metadata": {"a": "x" * 600}}])

    answer = client.patch(
        f"{BASE}/index/docs/items",
        {"items": [{"id": "a", "metadata": {"b": "x" * 600}}]},
        content_type="application/json",
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_every_route_is_described_with_the_fields_that_are_read() -> None:
    described = {name: call.body["properties"] for name, call in openapi.CALLS.items() if call.body}

    assert {call: tuple(fields) for call, fields in described.items()} == {
        "index_create": validation.INDEX_FIELDS,
        "add": validation.ADD_FIELDS,
        "search": queries.SEARCH_FIELDS,
        "multi_search": queries.MULTI_SEARCH_FIELDS,
        "count": validation.COUNT_FIELDS,
        "patch": patches.PATCH_FIELDS,
        "recall": queries.RECALL_FIELDS,
        "duplicates": queries.DUPLICATES_FIELDS,
        "fetch": validation.FETCH_FIELDS,
        "delete": validation.DELETE_FIELDS,
        "merge": validation.MERGE_FIELDS,
    }
    assert len(urls.urlpatterns) == 13
    assert get_resolver().resolve(f"{BASE}/index/a/add/").url_name == "add"
