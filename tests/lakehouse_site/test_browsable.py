"""The API in a browser: forms with examples that work, links, and problems on a page."""

from __future__ import annotations

import html
import json
import re

import pytest
from django.test import Client

from lakehouse_site.browsable import _ENTRIES, _PLACES
from tests.factories import add, make_index

pytestmark = pytest.mark.django_db(transaction=True)
BASE = "/v1/vectors/index"
FORMS = ("add", "search", "fetch", "count", "delete", "duplicates", "merge", "recall")


class Browser(Client):
    """Asks for HTML, as browsers do."""

    def page(self, path: str) -> str:
        answer = self.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, answer.content[:500]
        return answer.content.decode()


def form_body(page: str) -> str:
    (text,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
    return html.unescape(text).strip()


@pytest.fixture
def browser() -> Browser:
    for name in ("docs", "archive"):
        make_index(name, dimension=5)
    add("docs", [{"id": f"doc {number}", "vector": [number, 1, 2, 3, 4]} for number in range(3)])
    return Browser()


@pytest.mark.parametrize("call", FORMS)
def test_the_form_of_a_call_begins_with_a_body_that_works_for_this_index(browser: Browser, call: str) -> None:
    body = form_body(browser.page(f"{BASE}/docs/{call}"))

    answer = browser.post(f"{BASE}/docs/{call}", body, content_type="application/json")

    assert answer.status_code == 200, (body, answer.content)


def test_the_form_of_a_search_in_an_empty_index_has_a_vector_of_its_dimension(browser: Browser) -> None:
    body = json.loads(form_body(browser.page(f"{BASE}/archive/search")))

    assert len(body["vector"]) == 5


def test_an_index_that_is_not_there_has_a_form_all_the_same(browser: Browser) -> None:
    assert json.loads(form_body(browser.page(f"{BASE}/nope/search")))["vector"]


def test_a_refused_post_shows_the_problem_and_the_form_again(browser: Browser) -> None:
    answer = browser.post(
        f"{BASE}/docs/search", {"k": 0}, content_type="application/json", headers={"Accept": "text/html"}
    )

    page = answer.content.decode()
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert "urn:lakehouse:problem:invalid_input" in page
    assert "<textarea" in page


def test_who_is_no_browser_is_told_that_a_call_is_not_for_get(browser: Browser) -> None:
    answer = browser.get(f"{BASE}/docs/search")

    assert (answer.status_code, answer.headers["Content-Type"]) == (405, "application/problem+json")


def test_pages_link_to_what_is_beside_them_and_to_their_entries(browser: Browser) -> None:
    listed, one = browser.page(BASE), browser.page(f"{BASE}/docs")

    assert re.search(r'<a href="/v1/vectors/index/docs/?">docs</a>', listed)
    for page in ("items", "search", "snapshot"):
        assert re.search(rf'<a href="/v1/vectors/index/docs/{page}/?">', one)


def test_every_route_that_pages_link_to_exists() -> None:
    from django.urls import get_resolver

    routes = set(get_resolver().reverse_dict) | {"root", "docs"}
    named = {target for places in _PLACES.values() for target in places.values()}
    named |= {target for entries in _ENTRIES.values() for _, _, target, _ in entries}

    assert named - {str(route) for route in routes} == set()
    assert (set(_PLACES) | set(_ENTRIES)) - {str(route) for route in routes} == set()
