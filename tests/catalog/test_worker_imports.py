"""What the workers load before they can begin: most of what a small query takes, and a second if nobody looks."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.processes import ROOT

HEAVY = ("boto3", "django", "numpy", "pandas", "pydantic", "pyiceberg", "scipy")


@pytest.mark.parametrize("module", ["catalog.query_worker", "catalog.ingest_worker"])
def test_a_worker_starts_without_what_it_does_not_need(module: str) -> None:
    code = f"import {module}, json, sys; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []


def test_the_worker_of_a_query_does_what_it_does_without_numpy() -> None:
    code = (
        "import catalog.query_worker, pyarrow as pa, pyarrow.dataset, pyarrow.parquet, pyiceberg.io.pyarrow\n"
        "import catalog.query_files, sys\n"
        "assert pa.table({'a': [1, None]}).to_pylist() == [{'a': 1}, {'a': None}]\n"
        "print('numpy' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
