"""Exports, their files and decisions, recall notices, evaluation sets and freezes over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from distillation.freezes import freeze_scorer
from distillation.models import Export
from distillation.posted_runs import ingest_body
from lakehouse_site.access.services import create_token
from tests.distillation.exporting import a_run, export, ingest, stored

pytestmark = pytest.mark.usefixtures("distillation_db")

BASE = "/v1/distillation"


def post(client: Client, path: str, body: object = None, **headers: str) -> Any:
    return client.post(BASE + path, {} if body is None else body, content_type="application/json", headers=headers)


def test_an_export_is_made_listed_and_downloaded(client: Client) -> None:
    ingest(a_run("one"), a_run("two", "rejected"))

    made = post(client, "/exports", {"format": "alpaca", "split": "100/0/0"})
    again = post(client, "/exports", {"format": "alpaca", "split": "100/0/0"})
    listed = client.get(f"{BASE}/exports").json()
    one = client.get(f"{BASE}/exports/{made.json()['export_id']}").json()
    file = client.get(f"{BASE}/exports/{made.json()['export_id']}/files/train.jsonl")

    assert (made.status_code, again.status_code) == (201, 201)
    assert (made.json()["is_new"], again.json()["is_new"]) == (True, False)
    assert (made.json()["rows"], made.json()["outcomes"]) == (1, {"exported": 1, "firewall_blocked": 1})
    assert [(entry["export_id"], entry["status"]) for entry in listed["results"]] == [(one["export_id"], "complete")]
    assert one["manifest"]["hashed"]["configuration"]["format"] == "alpaca"
    assert file.getvalue() == stored(one["export_id"], "train.jsonl")
    assert file.headers["Content-Type"] == "application/x-ndjson"
    assert int(file.headers["Content-Length"]) == len(stored(one["export_id"], "train.jsonl"))
    for name in one["files"]:
        assert client.get(f"{BASE}/exports/{one['export_id']}/files/{name}").status_code == 200


def test_a_dry_run_makes_nothing(client: Client) -> None:
    ingest(a_run("one"))

    answer = post(client, "/exports", {"dry_run": True})

    assert (answer.status_code, answer.json()["rows"]) == (200, 1)
    assert not Export.objects.exists()


def test_decisions_come_page_by_page_and_by_outcome(client: Client) -> None:
    ingest(*(a_run(f"run-{i}", "accepted" if i % 2 else "rejected") for i in range(5)))
    path = f"{BASE}/exports/{export().export_id}/decisions"

    first = client.get(f"{path}?limit=3").json()
    second = client.get(f"{path}?limit=3&cursor={first['next']}").json()
    blocked = client.get(f"{path}?outcome=firewall_blocked").json()

    found = first["decisions"] + second["decisions"]
    assert [decision["run_id"] for decision in found] == [f"run-{i}" for i in range(5)]
    assert second["next"] is None
    assert [decision["run_id"] for decision in blocked["decisions"]] == ["run-0", "run-2", "run-4"]
    assert found[1]["outcome"] == "exported"
    assert (found[0]["split"], found[1]["group"]) == (None, "task-run-1")


def test_files_of_an_export_that_is_not_complete_cannot_be_had(client: Client) -> None:
    ingest(a_run("one"))
    made = export()
    Export.objects.update(status=Export.Status.WRITING)

    answer = client.get(f"{BASE}/exports/{made.export_id}/files/train.jsonl")

    assert (answer.status_code, answer.json()["code"]) == (404, "export_not_found")


@pytest.mark.parametrize("name", ["no.jsonl", "..%2F..%2Fsecret_key", "train.parquet"])
def test_only_the_files_of_an_export_can_be_had(client: Client, name: str) -> None:
    ingest(a_run("one"))

    answer = client.get(f"{BASE}/exports/{export().export_id}/files/{name}")

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "dpo"}, "/kind"),
        ({"format": "csv"}, "/format"),
        ({"split": "1/2/3"}, "/split"),
        ({"include_partial": "yes"}, "/include_partial"),
        ({"open_firewall": True}, "/open_firewall"),
    ],
)
def test_what_cannot_be_asked_for_is_named(client: Client, body: dict[str, Any], pointer: str) -> None:
    answer = post(client, "/exports", body)

    assert answer.status_code == 400
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "outcome=lost", "cursor=x"])
def test_bad_queries_of_decisions(client: Client, query: str) -> None:
    ingest(a_run("one"))

    assert client.get(f"{BASE}/exports/{export().export_id}/decisions?{query}").status_code == 400


def test_recall_notices_are_listed_and_acknowledged_once(client: Client) -> None:
    ingest(a_run("one"))
    made = export()
    other = json.dumps({**a_run("one"), "response": "another"}).encode() + b"\n"
    ingest_body(sent=other, lines=other)

    notice = client.get(f"{BASE}/recall-notices?open=true").json()["results"][0]
    done = post(client, f"/recall-notices/{notice['id']}/acknowledge").json()
    again = post(client, f"/recall-notices/{notice['id']}/acknowledge").json()

    assert (notice["export_id"], notice["run_id"], notice["acknowledged_at"]) == (made.export_id, "one", None)
    assert done["acknowledged_at"] == again["acknowledged_at"] is not None
    assert client.get(f"{BASE}/recall-notices?open=true").json()["count"] == 0
    assert client.get(f"{BASE}/recall-notices").json()["count"] == 1
    assert post(client, "/recall-notices/00000000-0000-4000-8000-000000000000/acknowledge").status_code == 404


def test_evaluation_sets(client: Client) -> None:
    items = [{"id": "q", "prompt": "Which words are these?", "answer": "None."}]

    made = post(client, "/eval-sets", {"name": "ours", "items": items})
    bad = post(client, "/eval-sets", {"name": "ours", "items": [*items, {"id": "r"}]})
    retired = post(client, "/eval-sets/ours/retire")

    assert (made.status_code, made.json()["items"], made.json()["is_active"]) == (201, 1, True)
    assert bad.status_code == 400
    assert bad.json()["errors"][0]["pointer"] == "/items/1"
    assert not retired.json()["is_active"]
    assert [entry["name"] for entry in client.get(f"{BASE}/eval-sets").json()["results"]] == ["ours"]
    assert post(client, "/eval-sets/ours/retire").status_code == 404


def test_a_freeze_refuses_exports_until_it_is_acknowledged(client: Client) -> None:
    ingest(a_run("one"))
    freeze = freeze_scorer(scorer_name="rubric", scorer_version="1", reason="Looks odd.")
    assert freeze is not None

    refused = post(client, "/exports")
    listed = client.get(f"{BASE}/freezes").json()["results"]
    done = post(client, f"/freezes/{freeze.pk}/acknowledge", {"by": "Ada", "note": "It is fine."})

    assert (refused.status_code, refused.json()["code"]) == (409, "scorer_frozen")
    assert f"/v1/distillation/freezes/{freeze.pk}/acknowledge" in refused.json()["detail"]
    assert [entry["id"] for entry in listed] == [freeze.pk]
    assert (done.json()["acknowledged_by"], done.json()["note"]) == ("Ada", "It is fine.")
    assert post(client, "/exports").status_code == 201


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("read", "GET", "/exports", 200),
        ("read", "GET", "/recall-notices", 200),
        ("read", "GET", "/eval-sets", 200),
        ("read", "GET", "/freezes", 200),
        ("read", "POST", "/exports", 403),
        ("read", "POST", "/eval-sets", 403),
        ("read", "POST", "/freezes/1/acknowledge", 403),
        ("write", "POST", "/exports", 201),
    ],
)
def test_scopes(client: Client, scope: str, method: str, path: str, status: int) -> None:
    ingest(a_run("one"))
    token = create_token(name="one", scope=scope).token
    header = {"Authorization": f"Bearer {token}"}

    answer = client.generic(method, BASE + path, b"{}", content_type="application/json", headers=header)

    assert answer.status_code == status
