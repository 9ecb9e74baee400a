"""A server with a little of everything, filled through its own interfaces: for browsers, fuzzers and pictures."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.processes import ROOT, Server, run_manage

NAME, PASSWORD = "ada", "a-password-for-tests"
SAMPLE = ROOT / "tests" / "distillation" / "scored_runs_sample"
DIMENSION = 3
DAYS, RUNS_A_DAY = 6, 40
_TOPICS = ("graphs", "merging", "drift")
_WORDS = ("index", "vector", "graph", "merge", "recall", "window", "bucket", "token", "export", "split", "query")


@dataclass(frozen=True, slots=True)
class Filled:
    """What is there.

    Attributes
    ----------
    values
        By the names of path parameters: ``values["export_id"]``.
    spare
        The same for what may be deleted.
    """

    server: Server
    values: dict[str, str]
    spare: dict[str, str]


def fill(server: Server, *, seed: int = 7) -> Filled:
    """Store indexes, a table, runs, quarantine, exports, an evaluation set, monitors, an alert and a freeze."""
    rng = random.Random(seed)
    with httpx.Client(base_url=server.base_url, timeout=120, trust_env=False) as http:
        _add_indexes(http, rng)
        _add_table(http, server)
        export_id, run_id, notice_id, line_id = _add_runs(http, rng)
        monitor_id, spare_monitor_id = _add_monitors(http)
        server.manage("drift_check", "--due", check=False)  # its status says that something has drifted
        alerts = _get(http, "/v1/drift/alerts")["results"]
        verdicts = {"before": {"r1": "rejected", "r2": "accepted"}, "after": {"r1": "accepted", "r2": "accepted"}}
        scorer = {"scorer_name": "judge", "scorer_version": "2", "compared_with": "1"}
        freeze = _post(http, "/v1/drift/scorer/freeze", {**verdicts, **scorer})["freeze"]
    values = {
        "alert_id": alerts[0]["id"],
        "eval_set": "holdout",
        "export_id": export_id,
        "file_name": "train.jsonl",
        "freeze_id": str(freeze["id"]),
        "line_id": line_id,
        "monitor_id": monitor_id,
        "name": "notes",
        "notice_id": notice_id,
        "run_id": run_id,
        "table": "shop.customers",
    }
    return Filled(server, values, {"name": "spare", "monitor_id": spare_monitor_id})


def add_boss(server: Server) -> None:
    """Make the login `NAME` with `PASSWORD`, who may do everything."""
    account = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    arguments = ("--noinput", "--username", NAME, "--email", "ada@example.org")
    run_manage("createsuperuser", *arguments, environment=server.environment | account)


def items(rng: random.Random, count: int, prefix: str = "item") -> list[dict[str, Any]]:
    """Return items in a few clusters, with metadata by which they can be told apart."""
    found = []
    for number in range(count):
        topic = number % 3
        vector = [round(rng.gauss(3.0 if place == topic else 0.0, 0.8), 4) for place in range(DIMENSION)]
        lang, year = ("en", "de", "fr")[number % 3], 2020 + number % 6
        metadata = {"lang": lang, "year": year, "topic": _TOPICS[topic], "title": _text(rng, 6)}
        found.append({"id": f"{prefix}-{number:03}", "vector": vector, "metadata": metadata})
    return found


def _add_indexes(http: httpx.Client, rng: random.Random) -> None:
    shared = items(rng, 120)
    for name, content in (
        ("notes", shared),
        ("archive", [*shared[:10], *items(rng, 40, "new")]),
        ("spare", shared[:3]),
    ):
        _post(http, "/v1/vectors/index", {"name": name, "dimension": DIMENSION})
        _post(http, f"/v1/vectors/index/{name}/add", {"items": content})
    _post(http, "/v1/vectors/index/notes/snapshot", None)
    for _ in range(2):
        _post(http, "/v1/vectors/index/notes/recall", {"num": 10, "k": 5})


def _add_table(http: httpx.Client, server: Server) -> None:
    """Take a file into a table of the catalog, and leave another file where it can be taken from."""
    folder = server.data_dir / "objects" / "imports"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "customers.csv").write_text("id,name,country\n1,Ada,GB\n2,Grace,US\n3,Emmy,DE\n")
    (folder / "orders.csv").write_text("id,customer,total\n1,1,12.5\n2,3,80.0\n3,1,7.25\n")
    ingest = {"table": "shop.customers", "mode": "create", "object": "imports/customers.csv"}
    _post(http, "/v1/catalog/ingest", ingest)


def _add_runs(http: httpx.Client, rng: random.Random) -> tuple[str, str, str, str]:
    """Return an export, one of its runs, a recall notice of it and a quarantined line."""
    for path in sorted((SAMPLE / "data" / "scored-runs" / "2026" / "03").glob("*/runs.jsonl")):
        _send(http, path.read_bytes())
    questions = [json.loads(line) for line in (SAMPLE / "eval_sets" / "holdout.jsonl").read_text().splitlines()]
    _post(http, "/v1/distillation/eval-sets", {"name": "holdout", "items": questions})
    _post(http, "/v1/distillation/exports", {"kind": "preference"})
    _send(http, b"".join(json.dumps(run).encode() + b"\n" for run in _recent_runs(rng)))
    export = _post(http, "/v1/distillation/exports", {"kind": "sft", "format": "messages"})
    decisions = _get(http, f"/v1/distillation/exports/{export['export_id']}/decisions?outcome=exported")["decisions"]
    run_id = str(decisions[-1]["run_id"])
    again = {"run_id": run_id, "task_id": "t", "category": "rejected", "source": "s", "prompt": "p", "response": "r"}
    _send(http, json.dumps({**again, "scored_at": "2026-03-01T00:00:00Z"}).encode())
    notice = _get(http, "/v1/distillation/recall-notices")["results"][0]
    lines = _get(http, "/v1/distillation/quarantine")["lines"]
    return export["export_id"], run_id, notice["id"], str(lines[0]["id"])


def _recent_runs(rng: random.Random) -> list[dict[str, Any]]:
    """Return runs of the last days; on the last one the scorer is much milder than before."""
    now = datetime.now(UTC).replace(microsecond=0)
    found = []
    for day in range(DAYS):
        for number in range(RUNS_A_DAY):
            score = round(min(1.0, max(0.0, rng.gauss(0.85 if day == DAYS - 1 else 0.5, 0.12))), 3)
            at = now - timedelta(days=DAYS - 1 - day, hours=1, minutes=number)
            found.append(
                {
                    "run_id": f"recent-{day}-{number:02}",
                    "task_id": f"question-{day}-{number}",
                    "category": "accepted" if score >= 0.5 else "rejected",
                    "score": score,
                    "scorer": {"name": "judge", "version": "1"},
                    "scored_at": at.isoformat().replace("+00:00", "Z"),
                    "source": "assistant.answers",
                    "model": "small-3",
                    "prompt": _text(rng, 14),
                    "response": _text(rng, 30),
                }
            )
    return found


def _add_monitors(http: httpx.Client) -> tuple[str, str]:
    """Return a monitor that has looked, and one that nothing needs."""
    first = datetime.now(UTC) - timedelta(days=DAYS - 2)
    body: dict[str, Any] = {
        "name": "runs of the assistant",
        "target": "runs",
        "selection": {"source": "assistant.answers"},
        "reference": "rolling",
        "reference_windows": 3,
        "window_seconds": 86_400,
        "first_window_end": first.isoformat(),
    }
    spare = _post(http, "/v1/drift/monitors", {**body, "name": "spare", "is_active": False})
    figures = {"name": "what exports hold", "target": "export_figures", "selection": {"kind": "sft"}}
    _post(http, "/v1/drift/monitors", {**figures, "window_seconds": 3_600, "first_window_end": first.isoformat()})
    return str(_post(http, "/v1/drift/monitors", body)["id"]), str(spare["id"])


def _text(rng: random.Random, count: int) -> str:
    return " ".join(f"{rng.choice(_WORDS)}{rng.randrange(10_000)}" for _ in range(count))


def _send(http: httpx.Client, lines: bytes) -> None:
    headers = {"Content-Type": "application/x-ndjson"}
    _checked(http.post("/v1/distillation/scored-runs", content=lines, headers=headers))


def _post(http: httpx.Client, path: str, body: Any) -> Any:
    return _checked(http.post(path, json=body) if body is not None else http.post(path))


def _get(http: httpx.Client, path: str) -> Any:
    return _checked(http.get(path))


def _checked(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise RuntimeError(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:2_000]}")
    return answer.json()
