from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from distillation.freezes import frozen_scorers
from drift.checks import check_due
from drift.models import DriftReport
from lakehouse_site.access import selectors
from lakehouse_site.access.services import create_token
from tests.drift.cases import cases, differences
from tests.drift.runs import add_runs, day, make_monitor

pytestmark = pytest.mark.django_db(transaction=True)
BASE = "/v1/drift"
NEW = {"name": "scores", "target": "scores", "window_seconds": 3600}


@pytest.fixture(autouse=True)
def _no_tokens_remembered() -> Any:
    selectors.forget()
    yield
    selectors.forget()


def call(client: Client, method: str, path: str, body: object = None, **meta: Any) -> Any:
    return client.generic(method, BASE + path, json.dumps(body), "application/json", **meta)


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in cases("distribution")])
def test_distribution_computes_on_given_data(client: Client, case: dict[str, Any]) -> None:
    body = {"reference": case["reference"], "current": case["current"], **case["args"]}

    response = call(client, "POST", "/distribution", body)

    assert response.status_code == 200
    assert differences(case["expected"], response.json()) == []


@pytest.mark.parametrize("kind", ["scorer", "audit", "embedding"])
def test_the_other_computations_do_too(client: Client, kind: str) -> None:
    sides = {"scorer": ("before", "after"), "audit": ("baseline", "current"), "embedding": ("reference", "current")}[
        kind
    ]
    for case in cases(kind):
        response = call(client, "POST", f"/{kind}", {side: case[side] for side in sides} | case.get("args", {}))

        assert differences(case["expected"], response.json()) == [], case["id"]


def test_null_and_the_words_for_non_finite_numbers_are_dropped_and_counted(client: Client) -> None:
    body = {"reference": [1, None, "NaN", "-Infinity"], "current": [1, 2, "Infinity"]}

    found = call(client, "POST", "/distribution", body).json()

    assert (found["dropped_reference"], found["dropped_current"]) == ({"nan": 2, "inf": 1}, {"nan": 0, "inf": 1})


def test_rows_with_numbers_that_are_not_finite_are_dropped_and_counted(client: Client) -> None:
    rows = [[0, 1], [1, 0], [1, 1]]

    found = call(client, "POST", "/embedding", {"reference": [*rows, [None, 1], ["NaN", 1]], "current": rows})
    refused = call(client, "POST", "/embedding", {"reference": [*rows, ["one", 1]], "current": rows})

    assert (found.json()["n_reference"], found.json()["dropped_reference"]["non_finite"]) == (3, 2)
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/distribution", [], ""),
        ("/distribution", {"reference": [1]}, "/current"),
        ("/distribution", {"reference": [1, "2"], "current": []}, "/reference/1"),
        ("/distribution", {"reference": [1], "current": [True]}, "/current/0"),
        ("/distribution", {"reference": [1], "current": [1], "epsilon": 1}, ""),
        ("/distribution", {"reference": [1], "current": [1], "buckets": "ten"}, "/buckets"),
        ("/scorer", {"before": {"a": 1}, "after": {}}, "/before"),
        ("/scorer", {"before": {}, "after": {}, "more": 1}, "/more"),
        ("/audit", {"baseline": {}, "current": [], "warn": 0.1}, "/current"),
        ("/audit", {"baseline": {}, "current": {}, "warn": -1}, ""),
        ("/embedding", {"reference": [[1, 2]] * 3, "current": [[1]] * 3}, ""),
        ("/embedding", {"reference": [[1], [1, 2]], "current": [[1]]}, ""),
        ("/embedding", {"reference": [[1]], "current": [[1]], "permutations": 10**9}, "/permutations"),
        ("/monitors", {"name": "x"}, "/target"),
    ],
)
def test_a_body_that_is_wrong_is_told_where(client: Client, path: str, body: object, pointer: str) -> None:
    response = call(client, "POST", path, body)

    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert pointer in {fault["pointer"] for fault in response.json()["errors"]}


def test_a_monitor_is_made_changed_checked_and_deleted(client: Client) -> None:
    made = call(client, "POST", "/monitors", NEW)
    path = f"/monitors/{made.json()['id']}"
    hook = {"kind": "webhook", "address": "https://example.org/"}
    changed = call(client, "PATCH", path, {"channels": [hook], "webhook_secret": "s" * 20, "min_n": 50})
    kept = call(client, "PATCH", path, {"min_n": 60})
    taken = call(client, "POST", "/monitors", NEW)
    report = call(client, "POST", f"{path}/check", {})
    listed = client.get(f"{BASE}/reports?monitor={made.json()['id']}").json()
    deleted = call(client, "DELETE", path)

    assert made.status_code == 201
    assert (changed.json()["min_n"], kept.json()["has_webhook_secret"]) == (50, True)
    assert "s" * 20 not in changed.content.decode() + kept.content.decode()
    assert (taken.status_code, taken.json()["code"]) == (409, "monitor_exists")
    assert (report.json()["verdict"], listed["results"][0]["id"]) == ("no_data", report.json()["id"])
    assert deleted.status_code == 204
    assert client.get(BASE + path).json()["code"] == "monitor_not_found"
    assert client.get(f"{BASE}/monitors/none").status_code == 404


def test_an_alert_is_listed_and_acknowledged(client: Client) -> None:
    make_monitor()
    add_runs([0.1, 0.2] * 50, day(2))
    add_runs([0.8, 0.9] * 50, day(3))
    check_due(now=day(4))

    (alert,) = client.get(f"{BASE}/alerts?state=open").json()["results"]
    nobody = call(client, "POST", f"/alerts/{alert['id']}/acknowledge", {"by": " "})
    seen = call(client, "POST", f"/alerts/{alert['id']}/acknowledge", {"by": "Ada", "note": "new model"})
    unknown = call(client, "POST", "/alerts/none/acknowledge", {"by": "Ada"})

    assert (alert["monitor"], alert["deliveries"][0]["channel"]) == ("watch", "log")
    assert nobody.status_code == 400
    assert (seen.json()["state"], seen.json()["note"]) == ("acknowledged", "new model")
    assert (unknown.status_code, client.get(f"{BASE}/alerts?state=odd").status_code) == (404, 400)
    assert client.get(f"{BASE}/reports?verdict=major").json()["count"] == DriftReport.objects.count() == 1


@pytest.mark.parametrize(("after", "frozen"), [("accepted", [("judge", "2")]), ("rejected", [])])
def test_given_verdicts_freeze_a_scorer_when_they_call_for_it(
    client: Client, after: str, frozen: list[tuple[str, str]]
) -> None:
    body = {"before": {"a": "rejected"}, "after": {"a": after}, "scorer_name": "judge", "scorer_version": "2"}

    first, second = (call(client, "POST", "/scorer/freeze", body) for _ in range(2))

    assert (first.status_code, frozen_scorers()) == (200, frozen)
    assert first.json() == second.json()


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/distribution", "read"),
        ("GET", "/monitors", "read"),
        ("POST", "/monitors", "write"),
        ("PATCH", "/monitors/x", "write"),
        ("DELETE", "/monitors/x", "write"),
        ("POST", "/monitors/x/check", "write"),
        ("GET", "/reports", "read"),
        ("POST", "/alerts/x/acknowledge", "write"),
        ("POST", "/scorer/freeze", "write"),
    ],
)
def test_each_call_needs_its_scope(client: Client, method: str, path: str, scope: str) -> None:
    plain = create_token(name="reader", scope="read").token

    status = call(client, method, path, {}, HTTP_AUTHORIZATION=f"Bearer {plain}").status_code

    assert (status == 403) == (scope == "write")
    assert status != 401
