from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from distillation.models import QuarantinedLine, ScoredRun, ScoredRunFile
from lakehouse_site.access.services import create_token
from tests.distillation.run_lines import assert_conserved, fields, line

pytestmark = pytest.mark.usefixtures("distillation_db")

BASE = "/v1/distillation"
JSON, NDJSON = "application/json", "application/x-ndjson"


def post(path: str, body: object, kind: str = JSON, **headers: Any) -> Any:
    data = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return Client().post(BASE + path, data, content_type=kind, headers=headers or None)


def get(path: str, **headers: Any) -> Any:
    return Client().get(BASE + path, headers=headers or None)


def add(*lines: bytes) -> Any:
    response = post("/scored-runs", b"\n".join(lines), NDJSON)
    assert response.status_code == 200, response.content
    return response.json()


def outcomes(answer: Any) -> dict[str, int]:
    names = ("blank", "incomplete_tail", "duplicate_identical", "quarantined", "ingested")
    return {name: answer[name] for name in names if answer[name]}


def test_lines_of_a_body_are_judged_as_those_of_a_file() -> None:
    answer = add(line("a"), b"", line("a"), line("b", category="Accepted"), line("a", score=1), b"{")

    assert outcomes(answer) == {"blank": 1, "duplicate_identical": 1, "quarantined": 3, "ingested": 1}
    faults = [(fault["line"], fault["code"], fault["run_id"]) for fault in answer["faults"]]
    # The last line has no line feed, but the request is whole.
    assert faults == [
        (4, "unknown_category", "b"),
        (5, "duplicate_run_id_conflict", "a"),
        (6, "invalid_json", ""),
    ]
    assert_conserved()


def test_runs_of_a_json_body_keep_their_text() -> None:
    rejected = json.dumps(fields("b", category="rejected"))
    texts = [
        json.dumps(fields("a", big=2**70, note='}],"runs":[{'), indent=2),
        rejected[:-1] + ', "category": "accepted"}',
        rejected[:-1] + ', "categor\\u0079": "accepted"}',
        "17",
    ]

    response = post("/scored-runs", f'\n{{ "runs" : [ {" , ".join(texts)} ] }} ')

    answer = response.json()
    assert outcomes(answer) == {"quarantined": 3, "ingested": 1}
    assert [fault["code"] for fault in answer["faults"]] == ["duplicate_key", "duplicate_key", "not_an_object"]
    assert str(2**70) in ScoredRun.objects.get().content


def test_the_same_body_twice_changes_nothing() -> None:
    body = {"runs": [fields("a"), {"odd": 1}]}

    first, second = (post("/scored-runs", body).json() for _ in range(2))

    assert (first["is_repeated"], second["is_repeated"]) == (False, True)
    assert {**first, "is_repeated": True} == second
    assert ScoredRunFile.objects.count() == 1
    assert post("/scored-runs", {"runs": []}).json()["lines"] == 0


@pytest.mark.parametrize(
    "body", ['{"runs": [1], "runs": [2]}', '{"runs": 1}', "[]", '{"runs": [], "more": 1}', '{"r\\u0075ns": []}']
)
def test_another_body_is_refused(body: str) -> None:
    response = post("/scored-runs", body)

    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, "body")
    assert not ScoredRunFile.objects.exists()


def test_runs_are_listed_page_by_page_and_by_what_they_are() -> None:
    scorer = {"name": "rubric", "version": "2"}
    add(
        line("a", category="rejected", scored_at="2026-03-01T00:00:00Z"),
        line("b", source="other", scored_at="2026-03-02T00:00:00+01:00", scorer=scorer),
        line("c", task_id="task-9", scored_at="2026-03-03T00:00:00Z"),
        line("c", score=1),
    )

    def ids(query: str) -> list[str]:
        return [run["run_id"] for run in get(f"/scored-runs?{query}").json()["runs"]]

    assert ids("category=rejected") == ["a"]
    assert ids("source=other") == ids("scorer=rubric") == ids("scorer=rubric&scorer_version=2") == ["b"]
    assert ids("task=task-9") == ids("disputed=true") == ["c"]
    assert ids("disputed=false") == ["a", "b"]
    assert ids("from=2026-03-01T23:00:00Z&before=2026-03-03T00:00:00Z") == ["b"]
    page = get("/scored-runs?limit=2").json()
    rest = get(f"/scored-runs?limit=2&cursor={page['next']}").json()
    assert [run["run_id"] for run in page["runs"] + rest["runs"]] == ["a", "b", "c"]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/scored-runs?limit=0", 400),
        ("/scored-runs?category=Accepted", 400),
        ("/scored-runs?disputed=maybe", 400),
        ("/scored-runs?from=yesterday", 400),
        ("/scored-runs?cursor=x", 400),
        ("/quarantine?status=odd", 400),
        ("/quarantine?code=odd", 400),
        ("/scored-runs/nothing", 404),
        ("/scored-runs/a%00b", 404),
    ],
)
def test_what_is_asked_for_wrongly_is_told(path: str, status: int) -> None:
    response = get(path)

    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_contradiction_is_seen_and_decided_over_http() -> None:
    add(line("a", score=0), line("a", score=1))
    run = get("/scored-runs/a").json()
    (row,) = get("/quarantine?run_id=a").json()["lines"]
    assert (run["is_disputed"], run["content"]["score"], run["decisions"]) == (True, 0, [])
    assert [conflict["id"] for conflict in run["conflicts"]] == [row["id"]]
    assert json.loads(row["raw"])["score"] == 1

    done = post(f"/quarantine/{row['id']}/release", {"note": "the second is right"})
    again = post(f"/quarantine/{row['id']}/discard", {})

    assert done.json() == {"id": row["id"], "outcome": "replaced", "run_id": "a", "is_disputed": False}
    assert (again.status_code, again.json()["code"]) == (409, "not_releasable")
    assert get("/scored-runs/a").json()["content"]["score"] == 1
    assert post("/quarantine/99999/discard", {}).status_code == 404
    assert_conserved()


def test_stats_count_everything() -> None:
    add(line("a"), line("b", category="rejected"), b"{", line("a", score=1))

    stats = get("/stats").json()

    assert (stats["runs"], stats["disputed"], stats["files"], stats["lines"]) == (2, 1, 1, 4)
    assert stats["by_category"] == {"accepted": 1, "rejected": 1}
    assert stats["by_source"] == {"code.review": 2}
    assert stats["outcomes"]["quarantined"] == 2
    assert {row["code"]: row["lines"] for row in stats["quarantine"]} == {
        "invalid_json": 1,
        "duplicate_run_id_conflict": 1,
    }


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("read", "GET", "/scored-runs", 200),
        ("read", "GET", "/scored-runs/a", 200),
        ("read", "GET", "/quarantine", 200),
        ("read", "GET", "/stats", 200),
        ("read", "POST", "/scored-runs", 403),
        ("read", "POST", "/quarantine/{id}/discard", 403),
        ("write", "POST", "/scored-runs", 200),
        # Who may send runs may not also decide between two contents of one.
        ("write", "POST", "/quarantine/{id}/release", 403),
        ("write", "POST", "/quarantine/{id}/discard", 403),
        ("admin", "POST", "/quarantine/{id}/discard", 200),
    ],
)
def test_each_call_needs_its_scope(scope: str, method: str, path: str, status: int) -> None:
    add(line("a"), line("a", score=1))
    row = QuarantinedLine.objects.get()
    token = create_token(name="mine", scope=scope).token
    body = '{"runs": []}' if path == "/scored-runs" else "{}"

    response = Client().generic(
        method, BASE + path.replace("{id}", str(row.pk)), body, JSON, headers={"Authorization": f"Bearer {token}"}
    )

    assert response.status_code == status
    row.refresh_from_db()
    assert row.decided_by == ("token mine" if scope == "admin" else "")
