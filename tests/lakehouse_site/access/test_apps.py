"""Tokens at the real routes of distillation and drift."""

from __future__ import annotations

import pytest

from lakehouse_site.access.services import create_token
from tests.lakehouse_site.access.calls import get, send
from tests.lakehouse_site.shapes import assert_problem

pytestmark = pytest.mark.django_db

PATHS = [
    "/v1/distillation/scored-runs",
    "/v1/distillation/scored-runs/r1",
    "/v1/distillation/stats",
    "/v1/distillation/quarantine",
    "/v1/distillation/exports",
    "/v1/distillation/eval-sets",
    "/v1/distillation/recall-notices",
    "/v1/distillation/freezes",
    "/v1/drift/monitors",
    "/v1/drift/reports",
    "/v1/drift/alerts",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_token_for_some_indexes_is_for_nothing_else(path: str) -> None:
    limited = create_token(name="limited", scope="admin", index_pattern="docs-*").token
    free = create_token(name="free", scope="read").token

    assert_problem(get(path, limited), 403, "index_not_covered")
    assert get(path, free).status_code in (200, 404)


@pytest.mark.parametrize(
    ("path", "scope", "status"),
    [
        ("/v1/distillation/freezes/1/acknowledge", "write", 403),
        ("/v1/distillation/freezes/1/acknowledge", "admin", 404),
        ("/v1/distillation/quarantine/1/release", "write", 403),
        ("/v1/distillation/quarantine/1/release", "admin", 404),
        ("/v1/distillation/exports", "read", 403),
        ("/v1/drift/monitors", "read", 403),
        ("/v1/drift/distribution", "read", 400),
    ],
)
def test_what_decides_needs_more_than_what_looks(path: str, scope: str, status: int) -> None:
    token = create_token(name="t", scope=scope).token

    assert send("POST", path, token).status_code == status
