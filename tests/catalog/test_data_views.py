from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client, override_settings

from catalog.models import Warehouse
from lakehouse_site.access import services

CSV = b"code,n\n007,1\n012,2\n"


def upload(client: Client, content: bytes = CSV, **fields: Any) -> Any:
    form = {"table": "ns.t", "file": SimpleUploadedFile("rows.csv", content), **fields}
    return client.post("/v1/catalog/ingest", form)


def ask(client: Client, **body: Any) -> Any:
    return client.post("/v1/catalog/query", json.dumps(body), content_type="application/json")


def sent(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_a_file_is_sent_and_asked_for(warehouse: Warehouse, client: Client) -> None:
    made = upload(client, types='{"n": "int"}')
    again = upload(client, types='{"n": "int"}')

    assert (made.status_code, made.json()["rows"], made.json()["deduplicated"]) == (201, 2, False)
    assert made.json()["schema"][1]["type"] == "int"
    assert (again.status_code, again.json()["deduplicated"]) == (201, True)
    assert again.json()["snapshot_id"] == made.json()["snapshot_id"]

    found = json.loads(sent(ask(client, sql="SELECT * FROM ns.t ORDER BY n")))
    assert (found["rows"], found["row_count"], found["truncated"]) == ([["007", 1], ["012", 2]], 2, False)

    as_csv = ask(client, sql="SELECT code FROM ns.t ORDER BY n DESC", limit=1, format="csv")
    assert (as_csv["X-Truncated"], as_csv["Content-Type"].split(";")[0]) == ("true", "text/csv")
    assert sent(as_csv) == b"code\n012\n"

    as_arrow = sent(ask(client, sql="SELECT sum(n)::BIGINT AS n FROM ns.t", format="arrow"))
    assert pa.ipc.open_stream(as_arrow).read_all().to_pylist() == [{"n": 3}]


def test_a_preview_shows_typed_rows(warehouse: Warehouse, client: Client) -> None:
    upload(client)

    found = json.loads(sent(client.get("/v1/catalog/datasets/ns.t/preview?limit=1")))

    assert found["columns"] == [{"name": "code", "type": "VARCHAR"}, {"name": "n", "type": "BIGINT"}]
    assert (found["rows"], found["truncated"]) == ([["007", 1]], True)
    assert client.get("/v1/catalog/datasets/ns.nope/preview").status_code == 404
    assert client.get("/v1/catalog/datasets/ns.t/preview?limit=0").status_code == 400


def test_an_object_of_the_import_folder_is_taken(warehouse: Warehouse, client: Client) -> None:
    default_storage.save("imports/day/rows.csv", ContentFile(CSV))
    body = {"table": "ns.t", "object": "imports/day/rows.csv"}

    made = client.post("/v1/catalog/ingest", json.dumps(body), content_type="application/json")
    for missing in ("imports/none.csv", "imports/day", "imports/day/rows.csv/none"):
        gone = json.dumps({"table": "ns.u", "format": "csv", "object": missing})
        answer = client.post("/v1/catalog/ingest", gone, content_type="application/json")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "not_found")
    other = json.dumps({"table": "ns.u", "object": "secret_key"})
    refused = client.post("/v1/catalog/ingest", other, content_type="application/json")

    assert (made.status_code, made.json()["rows"]) == (201, 2)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/object")


def test_what_is_wrong_is_a_problem_with_its_place(warehouse: Warehouse, client: Client) -> None:
    shown = upload(client, dry_run="true")
    broken = upload(client, b"a,b\n1,2\n3,4,5\n")
    unknown = upload(client, mood="create")
    missing = upload(client, mode="append")
    sql = ask(client, sql="SELECT * FROM read_text('/etc/passwd')")
    limit = ask(client, sql="SELECT 1", limit=100_001)

    assert (shown.status_code, shown.json()["rows"]) == (200, None)
    assert (broken.status_code, "Line 3" in broken.json()["detail"]) == (400, True)
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (400, "/mood")
    assert missing.status_code == 404
    assert (sql.status_code, sql.json()["errors"][0]["pointer"]) == (400, "/sql")
    assert (limit.status_code, limit.json()["errors"][0]["pointer"]) == (400, "/limit")


@override_settings(LAKEHOUSE_MAX_BODY_BYTES=1000)
def test_a_form_over_the_limit_of_bodies_is_refused(warehouse: Warehouse, client: Client) -> None:
    answer = upload(client, CSV * 100)

    assert (answer.status_code, "imports/" in answer.json()["detail"]) == (413, True)


@override_settings(LAKEHOUSE_QUERY_TIMEOUT=1)
def test_a_query_that_takes_too_long_is_answered_with_408(warehouse: Warehouse, client: Client) -> None:
    answer = ask(client, sql="SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b")

    assert (answer.status_code, answer.json()["code"]) == (408, "query_timed_out")


def test_a_token_that_may_read_asks_and_does_not_send(warehouse: Warehouse, client: Client) -> None:
    token = services.create_token(name="reader", scope="read").token
    bearer: Any = {"HTTP_AUTHORIZATION": f"Bearer {token}"}

    form = {"table": "ns.t", "file": SimpleUploadedFile("rows.csv", CSV)}
    assert client.post("/v1/catalog/ingest", form, **bearer).status_code == 403
    body = json.dumps({"sql": "SELECT 1"})
    asked = client.post("/v1/catalog/query", body, content_type="application/json", **bearer)
    assert (asked.status_code, json.loads(sent(asked))["rows"]) == (200, [[1]])
    assert client.post("/v1/catalog/query", body, content_type="application/json").status_code == 401


def test_commands_do_the_same(warehouse: Warehouse, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(CSV)

    call_command("lake_ingest", str(file), "ns.t", "--type", "n=int", "--json")
    assert json.loads(capsys.readouterr().out)["rows"] == 2
    call_command("lake_ingest", str(file), "ns.t", "--mode", "append", "--dry-run")
    assert "n: int" in capsys.readouterr().out
    call_command("lake_query", "SELECT code, n FROM ns.t ORDER BY n")
    assert capsys.readouterr().out.splitlines() == ["code  n", "----  -", "007   1", "012   2"]
    call_command("lake_query", "SELECT code FROM ns.t ORDER BY n", "--csv", "--limit", "1")
    assert capsys.readouterr().out == "code\n007\n"
