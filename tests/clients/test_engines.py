"""Other engines on a live server: Polars, Daft and iceberg-js, each a program in an environment of its own.

pyiceberg and DuckDB are in our own environment; their tests are beside those of the catalog.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.processes import ROOT, Server

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
CLIENTS = ROOT / ".venv" / "clients"
TIMEOUT_SECONDS = 240.0


def run_client(*arguments: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a client to its end and return what it tells."""
    if not CLIENTS.exists():
        pytest.fail("The other engines are not installed: run `make install-clients`.")
    done = subprocess.run(
        arguments,
        cwd=CLIENTS,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def run_python(script: str, server: Server, properties: dict[str, str] | None = None) -> dict[str, Any]:
    python = str(CLIENTS / "bin" / "python")
    environment = {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required", "DAFT_ANALYTICS_ENABLED": "0"}
    return run_client(
        python, str(HERE / script), f"{server.base_url}/iceberg", json.dumps(properties or {}), environment=environment
    )


EXPECTED = {
    "rows": 6,
    "filtered": [2, 2, 3, 3],
    "tags": ["new", "new", "new"],
    "rows_before": 3,
    "renamed": 6,
}


@pytest.mark.parametrize("name", ["polars", "daft"])
def test_an_engine_writes_reads_evolves_travels_renames_and_drops(name: str, shared_server: Server) -> None:
    told = run_python(f"{name}_client.py", shared_server)

    assert told == {**EXPECTED, "tables": [f"{name}.kept"]}


def test_iceberg_js_creates_evolves_renames_and_drops(shared_server: Server) -> None:
    # A module is looked up from where the program lies.
    script = CLIENTS / "client.mjs"
    script.write_bytes((HERE / "js" / "client.mjs").read_bytes())

    told = run_client(str(CLIENTS / "bin" / "node"), str(script), f"{shared_server.base_url}/iceberg")

    assert "js" not in told.pop("namespaces")
    assert told == {
        "properties": {"stage": "test"},
        "uuid_kept": True,
        "unchanged": None,
        "schemas": 2,
        "note": "kept",
        "conflict": {"status": 409, "type": "CommitFailedException"},
        "tables": ["renamed"],
    }
