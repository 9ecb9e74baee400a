from __future__ import annotations

import pytest
from django.test import Client

from tests.lakehouse_site.shapes import assert_problem

pytestmark = pytest.mark.django_db
LISTS = [
    "/v1/vectors/index",
    "/v1/distillation/exports",
    "/v1/distillation/recall-notices",
    "/v1/distillation/freezes",
    "/v1/drift/monitors",
    "/v1/drift/reports",
    "/v1/drift/alerts",
]


@pytest.mark.parametrize("wrong", ["limit=0", "limit=1001", "limit=many", "limit=", "offset=-1", "offset=1.5"])
@pytest.mark.parametrize("path", LISTS)
def test_a_page_that_cannot_be_is_refused_and_not_taken_for_the_first(path: str, wrong: str) -> None:
    problem = assert_problem(Client().get(f"{path}?{wrong}"), 400, "invalid_input")

    assert problem["errors"][0]["pointer"] == "?" + wrong.partition("=")[0]


@pytest.mark.parametrize("path", LISTS)
def test_a_page_beyond_the_last_is_empty(path: str) -> None:
    page = Client().get(f"{path}?limit=1000&offset={2**53}").json()

    assert (page["count"], page["results"], page["next"]) == (0, [], None)
