"""The OpenAPI document against a live server: its examples work, and nothing answers outside of what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.filled import Filled

pytestmark = pytest.mark.slow
SEED = 20_260_301
EXAMPLES = 2
"""Of each operation, beside the cases at the limits of its schema, which are always the same."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
# What the others need, and what takes away what others need.
FIRST = ("index_delete", "index_create", "add", "eval_set_retire", "eval_set_create", "ingest")
LAST = ("monitor_delete", "delete")
NEEDS_MORE = {"dataset_undrop"}
"""Only what was dropped, through the other protocol, can be brought back."""


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and description of each call, those first that others build on."""
    found = {
        operation["operationId"]: (method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }
    middle = [name for name in found if name not in FIRST + LAST]
    for name in (*FIRST, *middle, *LAST):
        yield found[name]


def example_of(operation: dict[str, Any]) -> Any:
    """Return the example of the body; None where there is none to send."""
    if "requestBody" not in operation:
        return None
    content = operation["requestBody"]["content"]["application/json"]
    (example,) = content["examples"].values()
    return example["value"]


@pytest.fixture(scope="module")
def refused(filled: Filled) -> list[tuple[str, int, str]]:
    """Send every example and return what was refused: before other tests change what the examples are about."""
    refused = []
    with httpx.Client(base_url=filled.server.base_url, timeout=60, trust_env=False) as http:
        schema = http.get("/v1/schema", headers={"Accept": "application/json"}).json()
        conflict = http.get("/v1/distillation/quarantine?code=duplicate_run_id_conflict").json()["lines"][-1]
        others = {
            "monitor_delete": filled.spare,
            "quarantine_release": {"line_id": str(conflict["id"])},
        }
        for method, path, operation in operations(schema):
            if operation["operationId"] in NEEDS_MORE:
                continue
            values = filled.values | others.get(operation["operationId"], {})
            body = example_of(operation)
            if operation["operationId"] == "dataset_rollback":
                snapshots = http.get(f"/v1/catalog/datasets/{values['table']}/snapshots").json()["results"]
                body = {"snapshot_id": snapshots[0]["snapshot_id"]}
            answer = (
                http.request(method, path.format(**values), json=body)
                if body
                else http.request(method, path.format(**values))
            )
            if not answer.is_success:
                refused.append((operation["operationId"], answer.status_code, answer.text[:500]))
    assert len(list(operations(schema))) > 50
    return refused


def test_the_example_of_every_call_works(refused: list[tuple[str, int, str]]) -> None:
    assert refused == []


def test_every_path_has_an_example_for_its_parameters(filled: Filled) -> None:
    schema = httpx.get(
        filled.server.base_url + "/v1/schema", headers={"Accept": "application/json"}, trust_env=False
    ).json()

    parameters = [one for _, _, operation in operations(schema) for one in operation.get("parameters", ())]
    assert {one["name"] for one in parameters if one["in"] == "path" and "example" not in one} == set()
    assert not any(path.startswith("/iceberg") for path in schema["paths"])


@pytest.mark.usefixtures("refused")
def test_no_call_answers_outside_of_the_schema(filled: Filled, tmp_path: Path) -> None:
    """The schema comes from the server, so a new call is covered by itself."""
    config = tmp_path / "schemathesis.toml"
    config.write_text(_config(filled))
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", str(config), "run", f"{filled.server.base_url}/v1/schema"),
            *("--phases", "coverage,fuzzing"),
            *("--max-examples", str(EXAMPLES), "--seed", str(SEED), "--generation-database", "none"),
            *("--suppress-health-check", "all", "--no-color"),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=tmp_path,
    )

    assert done.returncode == 0, f"{done.stdout[-20_000:]}\n{done.stderr[-4_000:]}"
    assert "Fuzzing (in" in done.stdout


def _config(filled: Filled) -> str:
    def lines(values: dict[str, str]) -> str:
        return "".join(f"{json.dumps(f'path.{name}')} = {json.dumps(value)}\n" for name, value in values.items())

    checks = "".join(f"{name}.enabled = true\n" for name in CHECKS)
    return (
        f"[parameters]\n{lines(filled.values)}\n[checks]\nenabled = false\n{checks}\n"
        f'[[operations]]\ninclude-method = "DELETE"\n[operations.parameters]\n{lines(filled.spare)}\n'
        # Runs with faults are not refused, they are quarantined, and the answer says which.
        '[[operations]]\ninclude-operation-id = "scored_run_add"\nchecks.negative_data_rejection.enabled = false\n'
    )
