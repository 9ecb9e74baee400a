"""Exports and their input on a real S3 service, by real processes."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import orjson
import pytest

from tests.conftest import MakeServer
from tests.distillation.run_lines import SAMPLE
from tests.processes import Server
from tests.s3 import S3Endpoint


@pytest.mark.slow
def test_runs_are_read_from_the_object_storage_and_exports_written_there(
    s3: S3Endpoint, make_server: MakeServer, make_http: Callable[[Server], httpx.Client]
) -> None:
    bucket = s3.new_bucket()
    with bucket.client() as client:
        for path in sorted((SAMPLE / "data" / "scored-runs").rglob("*.jsonl")):
            client.upload_file(str(path), bucket.bucket, f"logs/{path.relative_to(SAMPLE / 'data').as_posix()}")
    server = make_server(**bucket.environment)

    told = server.manage("ingest_scored_runs", "storage:logs", "--max-line-bytes", "65536", "--json").stdout
    http = make_http(server)
    made = http.post("/v1/distillation/exports", json={}).json()
    name = f"/v1/distillation/exports/{made['export_id']}"
    train = http.get(f"{name}/files/train.jsonl")
    again = http.post("/v1/distillation/exports", json={}).json()

    assert sum(file["ingested"] for file in orjson.loads(told)["files"]) == 296
    assert len(train.content.splitlines()) == made["splits"]["train"] > 100
    assert {key.rpartition("/")[2] for key in bucket.keys(f"exports/{made['export_id']}/")} >= {
        "train.jsonl",
        "validation.jsonl",
        "test.jsonl",
        "decisions.jsonl",
        "manifest.json",
    }
    assert (again["export_id"], again["is_new"]) == (made["export_id"], False)
